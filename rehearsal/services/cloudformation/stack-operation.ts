import { canonicalJson, type Json } from '../../../lib/contract';
import { FailedCreate, ResourceFailure, type ResourceHandler, type StackContext } from '../../core/resource';
import { type Graph, restrictedTo, reversed, walk } from './graph';
import type { InjectedFailures } from './injected-failures';
import { ResolutionError, resolve, type Scope } from './intrinsics';
import type { ProgressEvent, ResourceChange, ResourceName, RetainedResource, StackEvent } from './model';
import type { Plan } from './plan';
import { type DeployedResource, deployedResource } from './stack';
import type { TemplateResource } from './template';

export interface OperationDeps {
  readonly context: StackContext;
  readonly pseudo: Scope['pseudo'];
  readonly handlerFor: (type: string) => ResourceHandler;
  readonly faults: InjectedFailures;
  readonly parallelism: number;
  readonly rollbackOrder: 'reverse' | 'forward';
  readonly onEvent: (event: StackEvent) => void;
  readonly onProgress: (event: ProgressEvent) => void;
}

/** A change that the operation applied to one resource: input of the rollback and the clean-up. */
type AppliedChange =
  | { readonly kind: 'created'; readonly after: DeployedResource }
  | { readonly kind: 'replaced'; readonly before: DeployedResource; readonly after: DeployedResource }
  /** Updated in place, perhaps partially: then `after` is the target. */
  | { readonly kind: 'updated'; readonly before: DeployedResource; readonly after: DeployedResource };

export interface OperationFailure {
  readonly resource: ResourceName;
  readonly reason: string;
}

/**
 * One create or update of a stack, followed by either the clean-up or the rollback.
 *
 * Apply: every resource after its dependencies. Replaced and removed resources exist until the clean-up, which comes last
 * and deletes dependents first. Rollback: updated resources get their old properties, replaced ones are the old resource
 * again, created ones are deleted. Resource operations in progress finish before the rollback starts.
 *
 * Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html
 */
export class StackOperation {
  readonly #before: ReadonlyMap<string, DeployedResource>;
  readonly #plan: Plan;
  /** Current resources. */
  readonly current: Map<string, DeployedResource>;
  readonly changes: ResourceChange[] = [];
  readonly retained: RetainedResource[] = [];
  readonly #applied = new Map<string, AppliedChange>();
  readonly #ports: OperationDeps;

  constructor(before: ReadonlyMap<string, DeployedResource>, plan: Plan, ports: OperationDeps) {
    this.#before = before;
    this.#plan = plan;
    this.current = new Map(before);
    this.#ports = ports;
  }

  /** @returns the first failure, if any */
  async apply(): Promise<OperationFailure | undefined> {
    const failures = await walk(this.#plan.graph, this.#ports.parallelism, async (logicalId) => {
      const resource = this.#plan.resources.get(logicalId);
      if (resource !== undefined) {
        await this.#applyResource(resource);
      }
    });
    const [first] = failures;
    if (first === undefined) {
      return undefined;
    }
    const resource = this.#plan.resources.get(first.node);
    return {
      resource: { logicalId: first.node, path: resource?.path ?? first.node, type: resource?.type ?? '' },
      reason: messageOf(first.error),
    };
  }

  outputs(): Readonly<Record<string, string>> {
    const outputs: Record<string, string> = {};
    for (const [name, output] of Object.entries(this.#plan.template.outputs)) {
      if (output.condition === undefined || this.#plan.conditions[output.condition] === true) {
        const value = resolve(output.value, this.#scope());
        outputs[name] = typeof value === 'string' ? value : JSON.stringify(value);
      }
    }
    return outputs;
  }

  /** Deletes replaced resources and those that the template no longer has. A failure here does not fail the stack. */
  async cleanUp(): Promise<void> {
    const doomed = new Map<string, { readonly resource: DeployedResource; readonly removed: boolean }>();
    for (const [logicalId, done] of this.#applied) {
      if (done.kind === 'replaced' || (done.kind === 'updated' && done.before.physicalId !== done.after.physicalId)) {
        doomed.set(logicalId, { resource: done.before, removed: false });
      }
    }
    for (const [logicalId, resource] of this.#before) {
      if (!this.#plan.resources.has(logicalId)) {
        doomed.set(logicalId, { resource, removed: true });
        this.current.delete(logicalId);
      }
    }
    await walk(
      deletionOrder(this.#before, doomed.keys()),
      this.#ports.parallelism,
      async (logicalId) => {
        const entry = doomed.get(logicalId);
        if (entry === undefined) {
          return;
        }
        const { resource, removed } = entry;
        const policy = removed
          ? resource.deletionPolicy
          : (this.current.get(logicalId)?.updateReplacePolicy ?? resource.updateReplacePolicy);
        const retained = policy !== 'Delete';
        if (removed) {
          this.#recordChange(resource, retained ? 'retain' : 'remove', false, []);
        }
        if (retained) {
          this.#retain(resource);
        } else {
          await this.#deleteResource(resource);
        }
      },
      true,
    );
  }

  /** @returns the first failure of the rollback, if any */
  async rollbackUpdate(): Promise<OperationFailure | undefined> {
    const updated = new Set([...this.#applied].filter(([, done]) => done.kind === 'updated').map(([id]) => id));
    const among = restrictedTo(this.#plan.graph, updated);
    const superseded: DeployedResource[] = [];
    const failures = await walk(
      this.#ports.rollbackOrder === 'reverse' ? reversed(among) : among,
      this.#ports.parallelism,
      async (logicalId) => {
        const done = this.#applied.get(logicalId);
        if (done?.kind === 'updated') {
          superseded.push(...(await this.#rollbackResource(done.before, done.after)));
        }
      },
    );
    const [first] = failures;
    if (first !== undefined) {
      const { path = first.node, type = '' } = this.#plan.resources.get(first.node) ?? {};
      return { resource: { logicalId: first.node, path, type }, reason: messageOf(first.error) };
    }
    const doomed = new Map<string, DeployedResource[]>();
    for (const [logicalId, done] of this.#applied) {
      if (done.kind === 'replaced') {
        this.current.set(logicalId, done.before);
        doomed.set(logicalId, [done.after]);
      } else if (done.kind === 'created') {
        this.current.delete(logicalId);
        doomed.set(logicalId, [done.after]);
      }
    }
    for (const resource of superseded) {
      doomed.set(resource.logicalId, [...(doomed.get(resource.logicalId) ?? []), resource]);
    }
    await this.#deleteCreated(doomed);
    return undefined;
  }

  /** Deletes everything that a failed creation of the stack created. @returns the first failure */
  async rollbackCreate(): Promise<OperationFailure | undefined> {
    const doomed = new Map<string, DeployedResource[]>();
    for (const [logicalId, done] of this.#applied) {
      doomed.set(logicalId, [done.after]);
      this.current.delete(logicalId);
    }
    return this.#deleteCreated(doomed);
  }

  async #deleteCreated(
    doomed: ReadonlyMap<string, readonly DeployedResource[]>,
  ): Promise<OperationFailure | undefined> {
    const failures = await walk(
      reversed(restrictedTo(this.#plan.graph, new Set(doomed.keys()))),
      this.#ports.parallelism,
      async (logicalId) => {
        for (const resource of doomed.get(logicalId) ?? []) {
          // RetainExceptOnCreate: resources that the failed operation created are deleted.
          if (resource.deletionPolicy === 'Retain') {
            this.#retain(resource);
          } else {
            await this.#deleteResource(resource);
          }
        }
      },
      true,
    );
    const [first] = failures;
    if (first === undefined) {
      return undefined;
    }
    const { path = first.node, type = '' } = this.#plan.resources.get(first.node) ?? {};
    return { resource: { logicalId: first.node, path, type }, reason: messageOf(first.error) };
  }

  async #applyResource(resource: TemplateResource): Promise<void> {
    const { logicalId } = resource;
    const old = this.#before.get(logicalId);
    const needs = this.#plan.graph.get(logicalId) ?? new Set<string>();
    const verb = old === undefined ? 'CREATE' : 'UPDATE';
    try {
      const properties = asRecord(resolve(resource.properties, this.#scope()));
      const updatePolicy =
        resource.updatePolicy === undefined ? undefined : asRecord(resolve(resource.updatePolicy, this.#scope()));
      const handler = this.#ports.handlerFor(resource.type);
      const request = {
        stack: this.#ports.context,
        logicalId,
        path: resource.path,
        properties,
        updatePolicy,
        report: (message: string) => this.#progress(resource, message),
      };
      if (old === undefined) {
        this.#emit(resource, 'CREATE_IN_PROGRESS');
        this.#failIfInjected(resource, 'create');
        const after = await this.#createResource(
          resource,
          old,
          () => handler.create(request),
          (outcome) => deployedResource(resource, needs, properties, updatePolicy, outcome),
        );
        this.#recordChange(resource, 'create', false, Object.keys(properties));
        this.#emit(resource, 'CREATE_COMPLETE', undefined, after.physicalId);
        return;
      }
      if (old.type !== resource.type) {
        throw new ResourceFailure(`update of resource type is not permitted: ${old.type} to ${resource.type}`);
      }
      const changed = changedProperties(old.properties, properties);
      if (changed.length === 0) {
        this.current.set(logicalId, {
          ...old,
          path: resource.path,
          updatePolicy,
          deletionPolicy: resource.deletionPolicy,
          updateReplacePolicy: resource.updateReplacePolicy,
          needs,
        });
        return;
      }
      const replaces = changed.some((property) => handler.replaceOn.includes(property));
      this.#emit(
        resource,
        'UPDATE_IN_PROGRESS',
        replaces ? 'requested update requires the creation of a new physical resource' : undefined,
        old.physicalId,
      );
      // Until the handler answers, the update counts as started: a failure must roll it back.
      const target = deployedResource(resource, needs, properties, updatePolicy, old);
      if (!replaces) {
        this.#applied.set(logicalId, { kind: 'updated', before: old, after: target });
      }
      this.#failIfInjected(resource, 'update');
      if (replaces) {
        const after = await this.#createResource(
          resource,
          old,
          () => handler.create(request),
          (outcome) => deployedResource(resource, needs, properties, updatePolicy, outcome),
        );
        this.#recordChange(resource, 'replace', true, changed);
        this.#emit(resource, 'UPDATE_COMPLETE', undefined, after.physicalId);
        return;
      }
      const outcome = await handler.update({
        ...request,
        physicalId: old.physicalId,
        previous: old.properties,
        rollback: false,
      });
      const after = deployedResource(resource, needs, properties, updatePolicy, outcome);
      this.#applied.set(logicalId, { kind: 'updated', before: old, after });
      this.current.set(logicalId, after);
      const replaced = after.physicalId !== old.physicalId;
      this.#recordChange(resource, replaced ? 'replace' : 'update', replaced, changed);
      this.#emit(resource, 'UPDATE_COMPLETE', undefined, after.physicalId);
    } catch (error) {
      this.#emit(resource, `${verb}_FAILED`, messageOf(error), old?.physicalId);
      throw error;
    }
  }

  async #createResource(
    resource: TemplateResource,
    old: DeployedResource | undefined,
    make: () => Promise<Parameters<typeof deployedResource>[4]>,
    build: (outcome: Parameters<typeof deployedResource>[4]) => DeployedResource,
  ): Promise<DeployedResource> {
    const record = (after: DeployedResource) =>
      this.#applied.set(
        resource.logicalId,
        old === undefined ? { kind: 'created', after } : { kind: 'replaced', before: old, after },
      );
    try {
      const after = build(await make());
      record(after);
      this.current.set(resource.logicalId, after);
      return after;
    } catch (error) {
      if (error instanceof FailedCreate) {
        record(build({ physicalId: error.physicalId, attributes: {} }));
      }
      throw error;
    }
  }

  #failIfInjected(resource: TemplateResource, when: 'create' | 'update'): void {
    const reason = this.#ports.faults.consume(resource.logicalId, resource.path, when);
    if (reason !== undefined) {
      throw new ResourceFailure(reason);
    }
  }

  /** @returns physical resources that the rollback superseded */
  async #rollbackResource(before: DeployedResource, after: DeployedResource): Promise<readonly DeployedResource[]> {
    this.#emit(before, 'UPDATE_IN_PROGRESS', 'rollback', after.physicalId);
    try {
      const outcome = await this.#ports.handlerFor(before.type).update({
        stack: this.#ports.context,
        logicalId: before.logicalId,
        path: before.path,
        properties: before.properties,
        updatePolicy: before.updatePolicy,
        report: (message) => this.#progress(before, message),
        physicalId: after.physicalId,
        previous: after.properties,
        rollback: true,
      });
      const now = {
        ...before,
        physicalId: outcome.physicalId,
        ref: outcome.ref ?? outcome.physicalId,
        attributes: outcome.attributes,
      };
      this.current.set(before.logicalId, now);
      this.#emit(before, 'UPDATE_COMPLETE', undefined, now.physicalId);
      return [before, after].filter(
        (resource, index, both) =>
          resource.physicalId !== now.physicalId &&
          both.findIndex((other) => other.physicalId === resource.physicalId) === index,
      );
    } catch (error) {
      this.#emit(before, 'UPDATE_FAILED', messageOf(error), after.physicalId);
      throw error;
    }
  }

  async #deleteResource(resource: DeployedResource): Promise<void> {
    this.#emit(resource, 'DELETE_IN_PROGRESS', undefined, resource.physicalId);
    try {
      await this.#ports.handlerFor(resource.type).delete({
        stack: this.#ports.context,
        logicalId: resource.logicalId,
        physicalId: resource.physicalId,
        properties: resource.properties,
      });
      this.#emit(resource, 'DELETE_COMPLETE', undefined, resource.physicalId);
    } catch (error) {
      this.#emit(resource, 'DELETE_FAILED', messageOf(error), resource.physicalId);
      throw error;
    }
  }

  #retain(resource: DeployedResource): void {
    const { logicalId, path, type, physicalId } = resource;
    this.retained.push({ logicalId, path, type, physicalId });
    this.#emit(resource, 'DELETE_SKIPPED', undefined, physicalId);
  }

  #scope(): Scope {
    return {
      parameters: this.#plan.parameters,
      pseudo: this.#ports.pseudo,
      mappings: this.#plan.template.mappings,
      conditions: this.#plan.conditions,
      ref: (logicalId) => (this.#plan.resources.has(logicalId) ? this.current.get(logicalId)?.ref : undefined),
      attribute: (logicalId, name) =>
        this.#plan.resources.has(logicalId) ? this.current.get(logicalId)?.attributes[name] : undefined,
    };
  }

  #recordChange(
    { logicalId, path, type }: ResourceName,
    action: ResourceChange['action'],
    replaced: boolean,
    properties: readonly string[],
  ): void {
    this.changes.push({ logicalId, path, type, action, replaced, properties });
  }

  #emit(resource: ResourceName, status: string, reason?: string, physicalId?: string): void {
    const { logicalId, path, type } = resource;
    this.#ports.onEvent({
      at: this.#ports.context.clock.now(),
      stackName: this.#ports.context.stackName,
      logicalId,
      path,
      type,
      status,
      physicalId,
      reason,
    });
  }

  #progress({ logicalId, path }: ResourceName, message: string): void {
    const { clock, stackName } = this.#ports.context;
    this.#ports.onProgress({ at: clock.now(), stackName, logicalId, path, message });
  }
}

/** Dependents before their dependencies. */
export function deletionOrder(resources: ReadonlyMap<string, DeployedResource>, wanted: Iterable<string>): Graph {
  const graph = new Map([...resources].map(([id, resource]) => [id, resource.needs]));
  return reversed(restrictedTo(graph, new Set(wanted)));
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** First-level names whose values differ. */
function changedProperties(
  a: Readonly<Record<string, unknown>>,
  b: Readonly<Record<string, unknown>>,
): readonly string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter(
    (key) => canonicalText(a[key]) !== canonicalText(b[key]),
  );
}

/** Canonical JSON of a value of a JSON template. */
export function canonicalText(value: unknown): string {
  return value === undefined ? '' : canonicalJson(value as Json);
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ResolutionError(`expected an object, got ${JSON.stringify(value)}`);
  }
  return { ...value };
}
