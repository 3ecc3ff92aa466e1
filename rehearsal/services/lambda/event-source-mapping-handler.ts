import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { IamPort } from '../../core/ports';
import { cfnBoolean, cfnNumber, cfnTags, readProperties } from '../../core/properties';
import {
  REHEARSAL_ACCOUNT,
  REHEARSAL_REGION,
  type ResourceDeleteRequest,
  ResourceFailure,
  type ResourceHandler,
  type ResourceOutcome,
  type ResourceRequest,
  type ResourceUpdateRequest,
} from '../../core/resource';
import type { LambdaSqsPort } from '../sqs';
import { functionArn, parseFunction } from './arn';
import { EventSourceMapping, type MappingDeps, type MappingSettings } from './event-source-mapping';
import type { Functions } from './functions';

const propertiesSchema = z.strictObject({
  BatchSize: cfnNumber.pipe(z.number().int().min(1).max(10_000)).optional(),
  Enabled: cfnBoolean.optional(),
  EventSourceArn: z.string().regex(/^arn:[^:]+:sqs:/, 'expected the ARN of an SQS queue'),
  FunctionName: z.string(),
  FunctionResponseTypes: z.array(z.literal('ReportBatchItemFailures')).optional(),
  MaximumBatchingWindowInSeconds: cfnNumber.pipe(z.number().int().min(0).max(300)).optional(),
  ScalingConfig: z
    .strictObject({ MaximumConcurrency: cfnNumber.pipe(z.number().int().min(2).max(1000)).optional() })
    .optional(),
  Tags: cfnTags.optional(),
});

/** Needed by the function's role so that Lambda may poll on its behalf. */
const POLL_ACTIONS = ['ReceiveMessage', 'DeleteMessage', 'GetQueueAttributes'] as const;

/** `AWS::Lambda::EventSourceMapping` from SQS. Checks on creation and update what Lambda checks. */
export class EventSourceMappingHandler implements ResourceHandler {
  readonly #functions: Functions;
  readonly #sqs: LambdaSqsPort;
  readonly #iam: IamPort;
  readonly #dependencies: MappingDeps;
  readonly type = 'AWS::Lambda::EventSourceMapping';
  readonly source =
    'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventsourcemapping.html';
  readonly properties = Object.keys(propertiesSchema.shape);
  readonly replaceOn = ['EventSourceArn'];
  readonly #mappings = new Map<string, EventSourceMapping>();

  constructor(functions: Functions, sqs: LambdaSqsPort, iam: IamPort, dependencies: MappingDeps) {
    this.#functions = functions;
    this.#sqs = sqs;
    this.#iam = iam;
    this.#dependencies = dependencies;
  }

  async create(request: ResourceRequest): Promise<ResourceOutcome> {
    const { queueArn, settings } = this.#read(request);
    for (const mapping of this.#mappings.values()) {
      const { functionName, qualifier } = mapping.settings;
      if (mapping.queueArn === queueArn && functionName === settings.functionName && qualifier === settings.qualifier) {
        throw new ResourceFailure(
          `An event source mapping with SQS arn (" ${queueArn} ") and function (" ${functionArn(functionName, qualifier)} ") already exists. Please update or delete the existing mapping with UUID ${mapping.id}`,
        );
      }
    }
    const id = randomUUID();
    this.#mappings.set(id, new EventSourceMapping(id, queueArn, settings, this.#dependencies));
    return outcome(id);
  }

  async update(request: ResourceUpdateRequest): Promise<ResourceOutcome> {
    const { settings } = this.#read(request);
    this.#mappings.get(request.physicalId)?.configure(settings);
    return outcome(request.physicalId);
  }

  async delete(request: ResourceDeleteRequest): Promise<void> {
    this.#mappings.get(request.physicalId)?.stop();
    this.#mappings.delete(request.physicalId);
  }

  stop(): void {
    for (const mapping of this.#mappings.values()) {
      mapping.stop();
    }
  }

  #read(request: ResourceRequest): { readonly queueArn: string; readonly settings: MappingSettings } {
    const properties = readProperties(this.type, propertiesSchema, request);
    const reference = parseFunction(properties.FunctionName);
    if (reference === undefined) {
      throw new ResourceFailure(`${request.path}: FunctionName: got "${properties.FunctionName}", expected a function`);
    }
    const { name, qualifier } = reference;
    const { settings } = this.#functions.resolve(name, qualifier).version;
    const queueArn = properties.EventSourceArn;
    const visibility = this.#sqs.visibilityTimeoutSeconds(queueArn);
    if (visibility === undefined) {
      throw new ResourceFailure(
        `Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist. (${queueArn})`,
      );
    }
    if (visibility < settings.timeoutSeconds) {
      throw new ResourceFailure(
        `Queue visibility timeout: ${visibility} seconds is less than Function timeout: ${settings.timeoutSeconds} seconds`,
      );
    }
    this.#checkRole(settings.roleArn, name, queueArn);
    const batchSize = properties.BatchSize ?? 10;
    const windowSeconds = properties.MaximumBatchingWindowInSeconds ?? 0;
    if (batchSize > 10 && windowSeconds < 1) {
      throw new ResourceFailure(
        `Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10 (got BatchSize ${batchSize})`,
      );
    }
    return {
      queueArn,
      settings: {
        functionName: name,
        qualifier,
        batchSize,
        windowSeconds,
        maximumConcurrency: properties.ScalingConfig?.MaximumConcurrency,
        reportBatchItemFailures: (properties.FunctionResponseTypes ?? []).length > 0,
        enabled: properties.Enabled ?? true,
      },
    };
  }

  #checkRole(roleArn: string, label: string, queueArn: string): void {
    const principal = this.#iam.principalOf(this.#iam.sessionFor(roleArn, label).accessKeyId);
    for (const action of POLL_ACTIONS) {
      const permission = { action: `sqs:${action}`, resource: queueArn };
      if (principal === undefined || !this.#iam.decide(principal, permission).allowed) {
        throw new ResourceFailure(
          `The function execution role does not have permissions to call ${action} on SQS (role ${roleArn}, queue ${queueArn})`,
        );
      }
    }
  }
}

function outcome(id: string): ResourceOutcome {
  const arn = `arn:aws:lambda:${REHEARSAL_REGION}:${REHEARSAL_ACCOUNT}:event-source-mapping:${id}`;
  return { physicalId: id, attributes: { Id: id, EventSourceMappingArn: arn } };
}
