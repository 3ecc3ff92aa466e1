import type { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import type { InvokeRequest, LambdaPort } from '../../../rehearsal/core/ports';
import { ResourceFailure, type ResourceHandler } from '../../../rehearsal/core/resource';
import type { StackEvent } from '../../../rehearsal/services/cloudformation';
import { CloudFormation, type EngineDeps } from '../../../rehearsal/services/cloudformation/engine';
import { ResponseUrls } from '../../../rehearsal/services/cloudformation/response-urls';
import { ManualClock } from '../../support/manual-clock';

/** A thing of the test: `Value` changes in place, `Key` means replacement. */
export interface Thing {
  readonly value: unknown;
}

type Behavior = (
  operation: 'create' | 'update' | 'delete',
  physicalId: string,
  rollback: boolean,
) => Promise<void> | void;

/** The engine with one resource type, `Test::Thing`, and custom resources that a test answers. */
export function world(options: Partial<EngineDeps> = {}) {
  const clock = new ManualClock();
  /** What handlers were asked, in order: `create A`, `update B`, `update B back`, `delete A-1`. */
  const log: string[] = [];
  const things = new Map<string, Thing>();
  const events: StackEvent[] = [];
  const invocations: InvokeRequest[] = [];
  const made = new Map<string, number>();
  let behavior: Behavior = () => undefined;

  const handler: ResourceHandler = {
    type: 'Test::Thing',
    source: 'https://docs.aws.amazon.com/',
    properties: ['Value', 'Key', 'Needs', 'DeletionProtectionEnabled', 'Tags'],
    replaceOn: ['Key'],
    refusals: ({ Value }, resolve) => (resolve(Value) === 'outlandish' ? ['an outlandish value'] : []),
    create: async ({ logicalId, properties }) => {
      const serial = (made.get(logicalId) ?? 0) + 1;
      made.set(logicalId, serial);
      const physicalId = `${logicalId}-${serial}`;
      log.push(`create ${logicalId}`);
      await behavior('create', logicalId, false);
      things.set(physicalId, { value: properties.Value });
      return { physicalId, attributes: { Arn: `arn:${physicalId}`, Value: String(properties.Value) } };
    },
    update: async ({ logicalId, physicalId, properties, rollback }) => {
      log.push(`update ${logicalId}${rollback ? ' back' : ''}`);
      await behavior('update', logicalId, rollback);
      things.set(physicalId, { value: properties.Value });
      return { physicalId, attributes: { Arn: `arn:${physicalId}`, Value: String(properties.Value) } };
    },
    delete: async ({ logicalId, physicalId, properties }) => {
      log.push(`delete ${physicalId}`);
      if (properties.DeletionProtectionEnabled === true) {
        throw new ResourceFailure(`${physicalId} is protected`);
      }
      await behavior('delete', logicalId, false);
      things.delete(physicalId);
    },
  };

  let answer: (event: Record<string, unknown>) => Record<string, unknown> | string | undefined = () => ({});
  const replies = new ResponseUrls(() => 'http://127.0.0.1:1');
  const lambda: LambdaPort = {
    invoke: async (request) => {
      invocations.push(request);
      const event: Record<string, unknown> = JSON.parse(request.payload);
      log.push(`${event.RequestType} ${event.LogicalResourceId} ${event.PhysicalResourceId ?? ''}`.trim());
      const given = answer(event);
      if (given !== undefined) {
        const reply = {
          Status: 'SUCCESS',
          PhysicalResourceId: event.PhysicalResourceId ?? `${event.LogicalResourceId}-custom`,
          RequestId: event.RequestId,
          StackId: event.StackId,
          LogicalResourceId: event.LogicalResourceId,
        };
        put(
          replies,
          String(event.ResponseURL),
          typeof given === 'string' ? given : JSON.stringify({ ...reply, ...given }),
        );
      }
      return { status: 202, payload: '', executedVersion: '$LATEST' };
    },
    getAlias: () => undefined,
    putAlias: () => ({ arn: '' }),
    deleteAlias: () => undefined,
  };

  const engine = new CloudFormation({
    clock,
    lambda,
    responseUrls: replies,
    handlers: [handler],
    onEvent: (event) => events.push(event),
    ...options,
  });
  return {
    clock,
    engine,
    log,
    things,
    events,
    invocations,
    replies,
    /** What resources do from now on; throwing fails the operation. */
    behave: (next: Behavior) => {
      behavior = next;
    },
    /** What custom resources answer; undefined: nothing. */
    answerWith: (next: typeof answer) => {
      answer = next;
    },
    /** Deploys, letting the clock run on until it is over. */
    deploy: (resources: Record<string, unknown>, rest: Record<string, unknown> = {}) =>
      engine.deploy({ stackName: 'Test', template: { Resources: resources, ...rest }, assemblyDirectory: '/' }),
    takeLog: () => log.splice(0),
  };
}

/** A resource of the test type. */
export function thing(properties: Record<string, unknown> = {}, attributes: Record<string, unknown> = {}) {
  return { Type: 'Test::Thing', Properties: properties, ...attributes };
}

/** Sends a reply as a custom resource would. @returns HTTP status */
export function put(replies: ResponseUrls, url: string, body: string, method = 'PUT'): number {
  const request = Object.assign(new PassThrough(), { url: new URL(url).pathname, method });
  let status = 0;
  const response = {
    writeHead: (code: number) => {
      status = code;
      return response;
    },
    end: () => response,
  };
  replies.handle(request as unknown as IncomingMessage, response as unknown as ServerResponse);
  request.emit('data', Buffer.from(body));
  request.emit('end');
  return status;
}
