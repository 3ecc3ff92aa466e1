import { createHash } from 'node:crypto';
import type { RehearsalClock } from '../../core/clock';
import type { LambdaPort } from '../../core/ports';
import { REHEARSAL_ACCOUNT, REHEARSAL_REGION, type ResourceHandler, type StackContext } from '../../core/resource';
import { walk } from './graph';
import { InjectedFailures } from './injected-failures';
import {
  type DeployResult,
  type DestroyResult,
  NotRehearsable,
  type ProgressEvent,
  type StackEvent,
  type StackResourceView,
} from './model';
import { makePlan, type Plan } from './plan';
import { customResourceHandler, isCustomResource, METADATA_HANDLER } from './resources';
import type { ResponseUrls } from './response-urls';
import type { Stack } from './stack';
import { canonicalText, deletionOrder, messageOf, type OperationDeps, StackOperation } from './stack-operation';
import { readTemplate } from './template';

export interface EngineDeps {
  readonly clock: RehearsalClock;
  /** One per resource type. Custom resources need none. */
  readonly handlers: readonly ResourceHandler[];
  readonly lambda: LambdaPort;
  readonly responseUrls: ResponseUrls;
  readonly onEvent?: (event: StackEvent) => void;
  readonly onProgress?: (event: ProgressEvent) => void;
  /** Order in which a failed update is rolled back: AWS documents none. @default 'reverse' (dependents first) */
  readonly rollbackOrder?: 'reverse' | 'forward';
  /** Maximum number of resource operations in parallel. @default 10 */
  readonly parallelism?: number;
  /** Value of a parameter of the Systems Manager parameter store. @default - no parameter has a value */
  readonly ssmParameter?: (name: string) => string | undefined;
}

export interface DeployRequest {
  readonly stackName: string;
  /** Template as read from JSON. */
  readonly template: unknown;
  /** Folder of the cloud assembly. */
  readonly assemblyDirectory: string;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly pathOf?: (logicalId: string) => string | undefined;
}

/** CloudFormation: stacks, deployed and destroyed one operation at a time each. */
export class CloudFormation {
  readonly #deps: EngineDeps;
  readonly #stacks = new Map<string, Stack>();
  readonly #handlers: ReadonlyMap<string, ResourceHandler>;
  readonly #injectedFailures = new InjectedFailures();
  readonly #parallelism: number;
  #generation = 0;

  constructor(deps: EngineDeps) {
    this.#deps = deps;
    const handlers = new Map<string, ResourceHandler>();
    for (const handler of [METADATA_HANDLER, ...deps.handlers]) {
      if (handlers.has(handler.type)) {
        throw new Error(`two handlers for ${handler.type}`);
      }
      handlers.set(handler.type, handler);
    }
    this.#handlers = handlers;
    this.#parallelism = deps.parallelism ?? 10;
  }

  /**
   * Creates or updates the stack. A failed resource is part of the result; this rejects only if the operation did not
   * start.
   *
   * @throws NotRehearsable for a template with unknown types, properties or functions, missing references or dependency cycles
   * @throws Error when another operation on the stack is in progress, or a rollback of the stack has failed
   */
  async deploy(request: DeployRequest): Promise<DeployResult> {
    const { stackName } = request;
    const known = this.#stacks.get(stackName);
    if (known?.busy) {
      throw new Error(`stack ${stackName}: an operation is in progress (${known.status})`);
    }
    if (known?.status.endsWith('_FAILED')) {
      throw new Error(`stack ${stackName} is in ${known.status} and can only be destroyed`);
    }
    const stackId = known?.id ?? this.#newStackId(stackName);
    const pseudo = pseudoParameters(stackName, stackId);
    const plan = this.#planFor(request, pseudo);
    const fingerprint = canonicalText({ template: request.template, parameters: plan.parameters });
    const startedAt = this.#deps.clock.now();
    const events: StackEvent[] = [];
    if (known !== undefined && known.status !== 'ROLLBACK_COMPLETE' && known.fingerprint === fingerprint) {
      known.assemblyDirectory = request.assemblyDirectory;
      return {
        status: 'NO_CHANGES',
        stackName,
        outputs: known.outputs,
        events,
        changes: [],
        startedAt,
        durationMs: 0,
      };
    }
    // A stack whose creation was rolled back has no resources, and is created again.
    const existing = known?.status === 'ROLLBACK_COMPLETE' ? undefined : known;
    const stack: Stack = existing ?? {
      name: stackName,
      id: stackId,
      status: 'CREATE_IN_PROGRESS',
      busy: true,
      assemblyDirectory: request.assemblyDirectory,
      fingerprint: '',
      plan,
      resources: new Map(),
      outputs: {},
      retained: [],
    };
    this.#stacks.set(stackName, stack);
    stack.busy = true;
    const verb = existing === undefined ? 'CREATE' : 'UPDATE';
    const setStatus = (status: string, reason?: string) => {
      stack.status = status;
      this.#emitStackEvent(stack, events, status, reason);
    };
    const operation = new StackOperation(
      stack.resources,
      plan,
      this.#ports(stack, request.assemblyDirectory, pseudo, (event) => this.#emit(events, event)),
    );
    const result = (
      status: DeployResult['status'],
      failure?: Awaited<ReturnType<StackOperation['apply']>>,
    ): DeployResult => {
      stack.resources = operation.current;
      stack.retained.push(...operation.retained);
      return {
        status,
        stackName,
        ...(failure === undefined
          ? {}
          : { reason: `${failure.resource.path}: ${failure.reason}`, failedResource: failure.resource }),
        outputs: stack.outputs,
        events,
        changes: operation.changes,
        startedAt,
        durationMs: this.#deps.clock.now() - startedAt,
      };
    };
    try {
      setStatus(`${verb}_IN_PROGRESS`);
      let failure = await operation.apply();
      let outputs: Readonly<Record<string, string>> = {};
      if (failure === undefined) {
        try {
          outputs = operation.outputs();
        } catch (error) {
          failure = {
            resource: { logicalId: stackName, path: stackName, type: 'AWS::CloudFormation::Stack' },
            reason: messageOf(error),
          };
        }
      }
      if (failure === undefined) {
        if (verb === 'UPDATE') {
          setStatus('UPDATE_COMPLETE_CLEANUP_IN_PROGRESS');
          await operation.cleanUp();
        }
        stack.fingerprint = fingerprint;
        stack.plan = plan;
        stack.outputs = outputs;
        stack.assemblyDirectory = request.assemblyDirectory;
        setStatus(`${verb}_COMPLETE`);
        return result(`${verb}_COMPLETE`);
      }
      const reason = `${failure.resource.path}: ${failure.reason}`;
      if (verb === 'CREATE') {
        setStatus('ROLLBACK_IN_PROGRESS', reason);
        const deleteFailure = await operation.rollbackCreate();
        const status = deleteFailure === undefined ? 'ROLLBACK_COMPLETE' : 'ROLLBACK_FAILED';
        setStatus(status, deleteFailure?.reason);
        return result(status, failure);
      }
      setStatus('UPDATE_ROLLBACK_IN_PROGRESS', reason);
      const rollbackFailure = await operation.rollbackUpdate();
      const status = rollbackFailure === undefined ? 'UPDATE_ROLLBACK_COMPLETE' : 'UPDATE_ROLLBACK_FAILED';
      setStatus(
        status,
        rollbackFailure === undefined ? undefined : `${rollbackFailure.resource.path}: ${rollbackFailure.reason}`,
      );
      return result(
        status,
        rollbackFailure === undefined
          ? failure
          : {
              ...failure,
              reason: `${failure.reason}; the rollback of ${rollbackFailure.resource.path} failed: ${rollbackFailure.reason}`,
            },
      );
    } finally {
      stack.busy = false;
    }
  }

  /** Deletes everything except retained resources. Turns deletion protection off first, and reports that. */
  async destroy(stackName: string): Promise<DestroyResult> {
    const stack = this.#require(stackName);
    if (stack.busy) {
      throw new Error(`stack ${stackName}: an operation is in progress (${stack.status})`);
    }
    stack.busy = true;
    const startedAt = this.#deps.clock.now();
    const events: StackEvent[] = [];
    const overridden: string[] = [];
    const failures: { path: string; reason: string }[] = [];
    const pseudo = pseudoParameters(stack.name, stack.id);
    const emit = (event: StackEvent) => this.#emit(events, event);
    const { context } = this.#ports(stack, stack.assemblyDirectory, pseudo, emit);
    try {
      this.#emitStackEvent(stack, events, 'DELETE_IN_PROGRESS');
      const failed = await walk(
        deletionOrder(stack.resources, stack.resources.keys()),
        this.#parallelism,
        async (logicalId) => {
          const resource = stack.resources.get(logicalId);
          if (resource === undefined) {
            return;
          }
          const { path, type, physicalId } = resource;
          const event = { stackName, logicalId, path, type, physicalId };
          if (resource.deletionPolicy !== 'Delete') {
            stack.retained.push({ logicalId, path, type, physicalId });
            stack.resources.delete(logicalId);
            emit({ ...event, at: context.clock.now(), status: 'DELETE_SKIPPED' });
            return;
          }
          const handler = this.#handlerFor(type);
          emit({ ...event, at: context.clock.now(), status: 'DELETE_IN_PROGRESS' });
          let { properties } = resource;
          try {
            const unprotected = withoutDeletionProtection(properties);
            if (unprotected !== undefined) {
              await handler.update({
                stack: context,
                logicalId,
                path,
                properties: unprotected,
                previous: properties,
                physicalId,
                rollback: false,
                report: () => undefined,
              });
              properties = unprotected;
              overridden.push(path);
            }
            await handler.delete({ stack: context, logicalId, physicalId, properties });
          } catch (error) {
            emit({ ...event, at: context.clock.now(), status: 'DELETE_FAILED', reason: messageOf(error) });
            throw error;
          }
          stack.resources.delete(logicalId);
          emit({ ...event, at: context.clock.now(), status: 'DELETE_COMPLETE' });
        },
        true,
      );
      for (const { node, error } of failed) {
        failures.push({ path: stack.resources.get(node)?.path ?? node, reason: messageOf(error) });
      }
      const status = failures.length === 0 ? 'DELETE_COMPLETE' : 'DELETE_FAILED';
      this.#emitStackEvent(stack, events, status);
      stack.status = status;
      if (status === 'DELETE_COMPLETE') {
        this.#stacks.delete(stackName);
      }
      return {
        status,
        retained: [...stack.retained],
        deletionProtectionOverridden: overridden,
        failures,
        events,
        durationMs: this.#deps.clock.now() - startedAt,
      };
    } finally {
      stack.busy = false;
    }
  }

  /** See {@link InjectedFailures.add}. */
  failResource(pattern: string, reason: string, when: 'create' | 'update'): () => void {
    return this.#injectedFailures.add(pattern, reason, when);
  }

  stackNames(): readonly string[] {
    return [...this.#stacks.keys()];
  }

  outputs(stackName: string): Readonly<Record<string, string>> {
    return this.#require(stackName).outputs;
  }

  resources(stackName: string): readonly StackResourceView[] {
    return [...this.#require(stackName).resources.values()].map(
      ({ logicalId, path, type, physicalId, ref, attributes, properties, deletionPolicy }) => ({
        logicalId,
        path,
        type,
        physicalId,
        ref,
        attributes,
        properties,
        kept: deletionPolicy !== 'Delete',
      }),
    );
  }

  #planFor(request: DeployRequest, pseudo: OperationDeps['pseudo']): Plan {
    try {
      return makePlan(readTemplate(request.template, request.pathOf), {
        stackName: request.stackName,
        given: request.parameters ?? {},
        pseudo,
        handlerOf: (type) => this.#handlers.get(type),
        ssmParameter: this.#deps.ssmParameter ?? (() => undefined),
      });
    } catch (error) {
      throw error instanceof NotRehearsable ? error : new NotRehearsable(request.stackName, [messageOf(error)]);
    }
  }

  #ports(
    stack: Stack,
    assemblyDirectory: string,
    pseudo: OperationDeps['pseudo'],
    onEvent: (event: StackEvent) => void,
  ): OperationDeps {
    const context: StackContext = {
      stackName: stack.name,
      stackId: stack.id,
      region: REHEARSAL_REGION,
      account: REHEARSAL_ACCOUNT,
      partition: 'aws',
      assemblyDirectory,
      clock: this.#deps.clock,
    };
    return {
      context,
      pseudo,
      handlerFor: (type) => this.#handlerFor(type),
      faults: this.#injectedFailures,
      parallelism: this.#parallelism,
      rollbackOrder: this.#deps.rollbackOrder ?? 'reverse',
      onEvent,
      onProgress: this.#deps.onProgress ?? (() => undefined),
    };
  }

  #handlerFor(type: string): ResourceHandler {
    if (isCustomResource(type)) {
      return customResourceHandler(type, this.#deps.lambda, this.#deps.responseUrls);
    }
    const handler = this.#handlers.get(type);
    if (handler === undefined) {
      throw new Error(`not rehearsable: ${type}`);
    }
    return handler;
  }

  #require(stackName: string): Stack {
    const stack = this.#stacks.get(stackName);
    if (stack === undefined) {
      throw new Error(`no stack ${stackName}; existing stacks: ${[...this.#stacks.keys()].join(', ') || 'none'}`);
    }
    return stack;
  }

  #newStackId(stackName: string): string {
    this.#generation++;
    const digest = createHash('sha256').update(`${stackName}#${this.#generation}`).digest('hex');
    const uuid = [
      digest.slice(0, 8),
      digest.slice(8, 12),
      digest.slice(12, 16),
      digest.slice(16, 20),
      digest.slice(20, 32),
    ];
    return `arn:aws:cloudformation:${REHEARSAL_REGION}:${REHEARSAL_ACCOUNT}:stack/${stackName}/${uuid.join('-')}`;
  }

  #emitStackEvent(stack: Stack, events: StackEvent[], status: string, reason?: string): void {
    this.#emit(events, {
      at: this.#deps.clock.now(),
      stackName: stack.name,
      logicalId: stack.name,
      path: stack.name,
      type: 'AWS::CloudFormation::Stack',
      physicalId: stack.id,
      status,
      reason,
    });
  }

  #emit(events: StackEvent[], event: StackEvent): void {
    events.push(event);
    this.#deps.onEvent?.(event);
  }
}

function pseudoParameters(stackName: string, stackId: string): OperationDeps['pseudo'] {
  return {
    'AWS::AccountId': REHEARSAL_ACCOUNT,
    'AWS::NotificationARNs': [],
    'AWS::Partition': 'aws',
    'AWS::Region': REHEARSAL_REGION,
    'AWS::StackId': stackId,
    'AWS::StackName': stackName,
    'AWS::URLSuffix': 'amazonaws.com',
  };
}

/** The properties with every `DeletionProtectionEnabled` off, or undefined when none was on. */
function withoutDeletionProtection(
  properties: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> | undefined {
  let found = false;
  const off = (value: unknown): unknown => {
    if (Array.isArray(value)) {
      return value.map(off);
    }
    return typeof value === 'object' && value !== null ? membersOff(value) : value;
  };
  const membersOff = (value: object): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(value).map(([key, member]) => {
        if (key === 'DeletionProtectionEnabled' && (member === true || member === 'true')) {
          found = true;
          return [key, false];
        }
        return [key, off(member)];
      }),
    );
  const result = membersOff(properties);
  return found ? result : undefined;
}
