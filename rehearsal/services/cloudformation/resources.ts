import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { LambdaPort } from '../../core/ports';
import {
  FailedCreate,
  ResourceFailure,
  type ResourceHandler,
  type ResourceOutcome,
  type StackContext,
} from '../../core/resource';
import { scaledTimeout } from '../../core/scaled-timeout';
import type { ResponseUrls } from './response-urls';

const DEFAULT_TIMEOUT_SECONDS = 3600;

export function isCustomResource(type: string): boolean {
  return type.startsWith('Custom::') || type === 'AWS::CloudFormation::CustomResource';
}

const responseSchema = z.object({
  Status: z.enum(['SUCCESS', 'FAILED']),
  Reason: z.string().optional(),
  PhysicalResourceId: z.string().min(1).max(1024).optional(),
  RequestId: z.string(),
  NoEcho: z.boolean().optional(),
  Data: z.record(z.string(), z.unknown()).nullish(),
});

interface CustomResourceRequest {
  readonly stack: StackContext;
  readonly logicalId: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

/**
 * Resources that a Lambda function manages: it is invoked asynchronously and responds to ResponseURL.
 *
 * A resource without a response within ServiceTimeout (default one hour) fails. Every property arrives as text. A new
 * physical id from an update means a replacement: the clean-up sends a Delete for the old one. A failed Create is
 * followed by a Delete.
 */
export function customResourceHandler(type: string, lambda: LambdaPort, replies: ResponseUrls): ResourceHandler {
  const send = async (
    requestType: 'Create' | 'Update' | 'Delete',
    request: CustomResourceRequest,
    physicalId: string | undefined,
    previous?: Readonly<Record<string, unknown>>,
  ): Promise<z.infer<typeof responseSchema>> => {
    const serviceToken = request.properties.ServiceToken;
    if (typeof serviceToken !== 'string' || !/^arn:[^:]+:lambda:/.test(serviceToken)) {
      throw new ResourceFailure(
        `not rehearsable: ServiceToken ${JSON.stringify(serviceToken)}; expected the ARN of a Lambda function`,
      );
    }
    const seconds = timeoutSeconds(request.properties.ServiceTimeout);
    const requestId = randomUUID();
    const { clock } = request.stack;
    const box = replies.open();
    const over = new AbortController();
    try {
      const invoked = await lambda.invoke({
        function: serviceToken,
        type: 'Event',
        payload: JSON.stringify({
          RequestType: requestType,
          ServiceToken: serviceToken,
          ResponseURL: box.url,
          StackId: request.stack.stackId,
          RequestId: requestId,
          LogicalResourceId: request.logicalId,
          ResourceType: type,
          PhysicalResourceId: physicalId,
          ResourceProperties: asText(request.properties),
          ...(previous === undefined ? {} : { OldResourceProperties: asText(previous) }),
        }),
      });
      if (invoked.status >= 300) {
        throw new ResourceFailure(`could not invoke ${serviceToken}: ${invoked.payload}`);
      }
      const timeout = clock.sleep(scaledTimeout(clock, seconds * 1000), over.signal).then(
        () =>
          Promise.reject(
            new ResourceFailure(
              `CloudFormation did not receive a response from your Custom Resource within ${seconds} s (${requestType}, ${serviceToken})`,
            ),
          ),
        () => new Promise<never>(() => undefined),
      );
      const reply = await Promise.race([box.reply, timeout]);
      if ('refused' in reply) {
        throw new ResourceFailure(reply.refused);
      }
      return readResponse(reply.body, requestId);
    } finally {
      over.abort();
      box.close();
    }
  };

  return {
    type,
    source: 'https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html',
    properties: [],
    replaceOn: [],
    create: async (request) => {
      const generated = `${request.stack.stackName}-${request.logicalId}-${randomUUID().slice(0, 8)}`;
      try {
        const reply = await send('Create', request, undefined);
        if (reply.Status === 'FAILED') {
          throw new FailedCreate(reasonOf(reply), reply.PhysicalResourceId ?? generated);
        }
        return outcome(reply);
      } catch (error) {
        if (error instanceof ResourceFailure && !(error instanceof FailedCreate)) {
          throw new FailedCreate(error.message, generated);
        }
        throw error;
      }
    },
    update: async (request) => {
      const reply = await send('Update', request, request.physicalId, request.previous);
      if (reply.Status === 'FAILED') {
        throw new ResourceFailure(reasonOf(reply));
      }
      return outcome(reply);
    },
    delete: async (request) => {
      const reply = await send('Delete', request, request.physicalId);
      if (reply.Status === 'FAILED') {
        throw new ResourceFailure(reasonOf(reply));
      }
    },
  };
}

function readResponse(body: string, requestId: string): z.infer<typeof responseSchema> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    throw new ResourceFailure(`invalid response of a custom resource: not JSON: ${body.slice(0, 200)}`);
  }
  const reply = responseSchema.safeParse(parsed);
  if (!reply.success) {
    const issue = reply.error.issues[0];
    throw new ResourceFailure(`invalid response of a custom resource: ${issue?.path.join('.')}: ${issue?.message}`);
  }
  if (reply.data.RequestId !== requestId) {
    throw new ResourceFailure(
      `invalid response of a custom resource: RequestId ${reply.data.RequestId}, expected ${requestId}`,
    );
  }
  return reply.data;
}

function outcome(reply: z.infer<typeof responseSchema>): ResourceOutcome {
  if (reply.PhysicalResourceId === undefined) {
    throw new ResourceFailure('invalid response of a custom resource: PhysicalResourceId is missing');
  }
  const attributes: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(reply.Data ?? {})) {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      attributes[name] = value;
    }
  }
  return { physicalId: reply.PhysicalResourceId, attributes };
}

function reasonOf(reply: z.infer<typeof responseSchema>): string {
  return `received response status [FAILED] from custom resource: ${reply.Reason ?? 'no reason given'}`;
}

function timeoutSeconds(value: unknown): number {
  const seconds = value === undefined ? DEFAULT_TIMEOUT_SECONDS : Number(value);
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > DEFAULT_TIMEOUT_SECONDS) {
    throw new ResourceFailure(`ServiceTimeout ${JSON.stringify(value)}: expected whole seconds from 1 to 3600`);
  }
  return seconds;
}

/** CloudFormation passes numbers and booleans to custom resources as text. */
function asText(value: unknown): unknown {
  if (typeof value === 'number' || typeof value === 'boolean') {
    return String(value);
  }
  if (Array.isArray(value)) {
    return value.map(asText);
  }
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, asText(member)]));
  }
  return value;
}

/** `AWS::CDK::Metadata` has no effect: it only counts constructs. */
export const METADATA_HANDLER: ResourceHandler = {
  type: 'AWS::CDK::Metadata',
  source: 'https://docs.aws.amazon.com/cdk/v2/guide/usage-data.html',
  properties: ['Analytics'],
  replaceOn: [],
  create: async (request) => ({ physicalId: request.logicalId, attributes: {} }),
  update: async (request) => ({ physicalId: request.physicalId, attributes: {} }),
  delete: async () => undefined,
};
