import * as z from 'zod';
import type { Clock } from '../clock';
import { describeError } from '../errors';
import type { Log } from '../telemetry/logger';
import { type InvocationContext, withInvocationDeadline } from './invocation-deadline';

/** What CloudFormation sends to the function behind a custom resource. */
export const customResourceEventSchema = z.object({
  RequestType: z.enum(['Create', 'Update', 'Delete']),
  ResponseURL: z.url(),
  StackId: z.string().min(1),
  RequestId: z.string().min(1),
  ResourceType: z.string().min(1),
  LogicalResourceId: z.string().min(1),
  PhysicalResourceId: z.string().optional(),
  ResourceProperties: z.record(z.string(), z.unknown()),
  OldResourceProperties: z.record(z.string(), z.unknown()).optional(),
});
export type CustomResourceEvent = z.infer<typeof customResourceEventSchema>;

/**
 * The resource's properties, checked.
 *
 * @throws Error naming each property that is missing or malformed
 */
export function propertiesOf<T>(
  { LogicalResourceId, ResourceProperties }: CustomResourceEvent,
  schema: z.ZodType<T>,
): T {
  const result = schema.safeParse(ResourceProperties);
  if (result.success) {
    return result.data;
  }
  const problems = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new Error(`properties of ${LogicalResourceId} are not valid: ${problems.join('; ')}`);
}

/** What a handler returns to CloudFormation. */
export interface CustomResourceOutcome {
  /** The same for the life of the resource: another one would mean a replacement. */
  readonly physicalId: string;
  /** What `Fn::GetAtt` gives. Small: all of the response has to fit in 4,096 bytes. */
  readonly data?: Readonly<Record<string, string>>;
}

export interface CustomResourceOptions {
  /**
   * Physical id to answer with when the handler fails before it gives one. CloudFormation refuses a failure without an
   * id, and takes another id than before for a replacement.
   */
  readonly physicalId: (event: CustomResourceEvent) => string;
  readonly handle: (event: CustomResourceEvent, signal: AbortSignal) => Promise<CustomResourceOutcome>;
  readonly logger: Log;
  readonly clock: Clock;
  /** @default fetch */
  readonly fetch?: typeof fetch;
}

/** https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html */
const RESPONSE_LIMIT_BYTES = 4096;

/** The rest of a response (ids, status) is well below this; what is left is the reason's. */
const REASON_LIMIT_BYTES = 1500;

/** Real milliseconds kept for the reply. */
const REPLY_RESERVE_MS = 20_000;

/** Real milliseconds for one attempt to reply. */
const REPLY_TIMEOUT_MS = 5_000;

/** Waits (cloud time) before each further attempt to reply. */
const REPLY_WAITS_MS = [500, 1_000, 2_000] as const;

/**
 * Runs the handler of a custom resource and replies to CloudFormation. CloudFormation would wait an hour for a function
 * that says nothing, so every end is answered: an error of the handler with FAILED and its reason, a handler that is out
 * of time likewise.
 *
 * @throws when the event is none of CloudFormation's, or the reply could not be delivered
 */
export async function answerCustomResource(
  rawEvent: unknown,
  context: InvocationContext,
  props: CustomResourceOptions,
): Promise<void> {
  const { handle, logger } = props;
  const event = customResourceEventSchema.parse(rawEvent);
  const line = { resource: event.LogicalResourceId, type: event.ResourceType, request: event.RequestType };
  let reply: Reply;
  try {
    const outcome = await withInvocationDeadline(context, REPLY_RESERVE_MS, (signal) => handle(event, signal));
    reply = { status: 'SUCCESS', ...outcome };
    logger.info('custom resource done', line);
  } catch (error) {
    const reason = describeError(error);
    reply = { status: 'FAILED', physicalId: props.physicalId(event), reason };
    logger.error('custom resource failed', { ...line, reason, error: error as Error });
  }
  await deliver(event, reply, props);
}

type Reply =
  | ({ readonly status: 'SUCCESS' } & CustomResourceOutcome)
  | { readonly status: 'FAILED'; readonly physicalId: string; readonly reason: string };

async function deliver(event: CustomResourceEvent, reply: Reply, props: CustomResourceOptions): Promise<void> {
  const { clock, fetch: put = fetch, logger } = props;
  const body = responseBody(event, reply);
  for (let attempt = 0; ; attempt += 1) {
    try {
      const response = await put(event.ResponseURL, {
        method: 'PUT',
        // The URL is signed for an empty content type.
        headers: { 'content-type': '' },
        body,
        signal: AbortSignal.timeout(REPLY_TIMEOUT_MS),
      });
      if (response.ok) {
        return;
      }
      throw new Error(`CloudFormation's response URL answered with status ${response.status}`);
    } catch (error) {
      const wait = REPLY_WAITS_MS[attempt];
      if (wait === undefined) {
        throw error;
      }
      logger.warn('the response to CloudFormation was not delivered; retrying', {
        attempt,
        reason: describeError(error),
      });
      await clock.sleep(wait);
    }
  }
}

/** The response as CloudFormation reads it. */
function responseBody(event: CustomResourceEvent, reply: Reply): string {
  const { LogicalResourceId, RequestId, StackId } = event;
  const common = {
    Status: reply.status,
    PhysicalResourceId: reply.physicalId,
    StackId,
    RequestId,
    LogicalResourceId,
  };
  const body = JSON.stringify(
    reply.status === 'SUCCESS'
      ? { ...common, Data: reply.data ?? {} }
      : { ...common, Reason: truncate(reply.reason, REASON_LIMIT_BYTES) },
  );
  const size = Buffer.byteLength(body);
  if (size <= RESPONSE_LIMIT_BYTES) {
    return body;
  }
  const reason = `the response has ${size} bytes, CloudFormation accepts ${RESPONSE_LIMIT_BYTES}`;
  return JSON.stringify({ ...common, Status: 'FAILED', Reason: reason });
}

/** Truncates a text to a number of bytes of JSON, never within a character. */
function truncate(text: string, bytes: number): string {
  const size = (part: string) => Buffer.byteLength(JSON.stringify(part));
  if (size(text) <= bytes) {
    return text;
  }
  let cut = '';
  for (const character of text) {
    if (size(`${cut}${character}…`) > bytes) {
      break;
    }
    cut += character;
  }
  return `${cut}…`;
}
