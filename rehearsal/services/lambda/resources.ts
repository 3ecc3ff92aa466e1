import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { Env } from '../../../lib/contract/environment';
import { physicalName } from '../../core/physical-name';
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
import type { AsyncQueue } from './async-queue';
import type { CodeStore, FunctionCode } from './code-store';
import { EventSourceMapping, type MappingDeps, type MappingSettings } from './event-source-mapping';
import { type FunctionSettings, type Functions, functionArn, parseFunction } from './model';

const MAX_ENVIRONMENT_BYTES = 4096;

/** @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime */
const RESERVED_VARIABLES = [
  '_HANDLER',
  '_X_AMZN_TRACE_ID',
  'AWS_DEFAULT_REGION',
  'AWS_REGION',
  'AWS_EXECUTION_ENV',
  'AWS_LAMBDA_FUNCTION_NAME',
  'AWS_LAMBDA_FUNCTION_MEMORY_SIZE',
  'AWS_LAMBDA_FUNCTION_VERSION',
  'AWS_LAMBDA_INITIALIZATION_TYPE',
  'AWS_LAMBDA_LOG_GROUP_NAME',
  'AWS_LAMBDA_LOG_STREAM_NAME',
  'AWS_ACCESS_KEY',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_LAMBDA_RUNTIME_API',
  'LAMBDA_TASK_ROOT',
  'LAMBDA_RUNTIME_DIR',
];

const functionSchema = z.strictObject({
  Architectures: z
    .array(z.enum(['x86_64', 'arm64']))
    .length(1)
    .optional(),
  Code: z.union([
    z.strictObject({ S3Bucket: z.string(), S3Key: z.string(), S3ObjectVersion: z.string().optional() }),
    z.strictObject({ ZipFile: z.string() }),
  ]),
  DeadLetterConfig: z.strictObject({ TargetArn: z.string().optional() }).optional(),
  Description: z.string().max(256).optional(),
  Environment: z
    .strictObject({
      Variables: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]).transform(String)).optional(),
    })
    .optional(),
  EphemeralStorage: z.strictObject({ Size: cfnNumber.pipe(z.number().int().min(512).max(10_240)) }).optional(),
  FunctionName: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/)
    .optional(),
  Handler: z.string().regex(/^[^\s]+\.[^\s.]+$/, 'expected file.export'),
  LoggingConfig: z
    .strictObject({
      LogGroup: z.string().optional(),
      LogFormat: z.enum(['Text', 'JSON']).optional(),
      ApplicationLogLevel: z.string().optional(),
      SystemLogLevel: z.string().optional(),
    })
    .optional(),
  MemorySize: cfnNumber.pipe(z.number().int().min(128).max(10_240)).optional(),
  PackageType: z.literal('Zip').optional(),
  RecursiveLoop: z.string().optional(),
  ReservedConcurrentExecutions: cfnNumber.pipe(z.number().int().min(0)).optional(),
  Role: z.string().startsWith('arn:'),
  Runtime: z.string().regex(/^nodejs\d+\.x$/, 'expected a Node.js runtime: no other can run here'),
  Tags: cfnTags.optional(),
  Timeout: cfnNumber.pipe(z.number().int().min(1).max(900)).optional(),
  TracingConfig: z.strictObject({ Mode: z.enum(['Active', 'PassThrough']).optional() }).optional(),
});
type FunctionProperties = z.infer<typeof functionSchema>;

/**
 * `AWS::Lambda::Function`. Every Node.js runtime runs on the Node.js that runs the rehearsal; architecture and ephemeral
 * storage are settings of a version without effect.
 */
export class FunctionHandler implements ResourceHandler {
  readonly #functions: Functions;
  readonly #code: CodeStore;
  readonly #iam: IamPort;
  readonly type = 'AWS::Lambda::Function';
  readonly source =
    'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-function.html';
  readonly properties = Object.keys(functionSchema.shape);
  readonly replaceOn = ['FunctionName', 'PackageType'];

  constructor(functions: Functions, code: CodeStore, iam: IamPort) {
    this.#functions = functions;
    this.#code = code;
    this.#iam = iam;
  }

  async create(request: ResourceRequest): Promise<ResourceOutcome> {
    const properties = readProperties(this.type, functionSchema, request);
    const name = properties.FunctionName ?? physicalName(request.stack, request.logicalId, { maxLength: 64 });
    if (this.#functions.has(name)) {
      throw new ResourceFailure(`${name} already exists`);
    }
    const settings = await this.#settings(name, properties);
    this.#functions.create(name, settings, properties.Description ?? '', request.stack.clock.now());
    return this.#outcome(name, properties);
  }

  async update(request: ResourceUpdateRequest): Promise<ResourceOutcome> {
    const properties = readProperties(this.type, functionSchema, request);
    const name = request.physicalId;
    const settings = await this.#settings(name, properties);
    this.#functions.update(name, settings, properties.Description ?? '', request.stack.clock.now());
    return this.#outcome(name, properties);
  }

  async delete(request: ResourceDeleteRequest): Promise<void> {
    this.#functions.delete(request.physicalId);
  }

  #outcome(name: string, properties: FunctionProperties): ResourceOutcome {
    this.#functions.reserve(name, properties.ReservedConcurrentExecutions);
    return { physicalId: name, attributes: { Arn: functionArn(name) } };
  }

  async #settings(name: string, properties: FunctionProperties): Promise<FunctionSettings> {
    const environment = properties.Environment?.Variables ?? {};
    checkEnvironment(environment);
    const deadLetterArn = properties.DeadLetterConfig?.TargetArn;
    this.#checkRole(name, properties.Role, deadLetterArn);
    const logging = properties.LoggingConfig ?? {};
    return {
      code: await this.#codeOf(properties),
      handler: properties.Handler,
      runtime: properties.Runtime,
      roleArn: properties.Role,
      environment,
      timeoutSeconds: properties.Timeout ?? 3,
      memoryMiB: properties.MemorySize ?? 128,
      architecture: properties.Architectures?.[0] ?? 'x86_64',
      logGroup: logging.LogGroup ?? `/aws/lambda/${name}`,
      logFormat: logging.LogFormat ?? 'Text',
      logLevel: logging.ApplicationLogLevel,
      tracing: properties.TracingConfig?.Mode ?? 'PassThrough',
      ephemeralStorageMiB: properties.EphemeralStorage?.Size ?? 512,
      deadLetterArn,
    };
  }

  #codeOf({ Code }: FunctionProperties): Promise<FunctionCode> {
    return 'ZipFile' in Code ? this.#code.fromText(Code.ZipFile) : this.#code.fromAsset(Code.S3Bucket, Code.S3Key);
  }

  #checkRole(name: string, role: string, deadLetterArn: string | undefined): void {
    let accessKeyId: string;
    try {
      ({ accessKeyId } = this.#iam.sessionFor(role, name, 'lambda.amazonaws.com'));
    } catch (error) {
      const reason = error instanceof Error ? error.message : error;
      throw new ResourceFailure(`The role defined for the function cannot be assumed by Lambda. (${reason})`);
    }
    if (deadLetterArn === undefined) {
      return;
    }
    if (!deadLetterArn.includes(':sqs:')) {
      throw new ResourceFailure(`not rehearsable: dead-letter target ${deadLetterArn}: expected an SQS queue`);
    }
    const principal = this.#iam.principalOf(accessKeyId);
    const permission = { action: 'sqs:SendMessage', resource: deadLetterArn };
    if (principal === undefined || !this.#iam.decide(principal, permission).allowed) {
      throw new ResourceFailure('The provided execution role does not have permissions to call SendMessage on SQS');
    }
  }
}

function checkEnvironment(environment: Readonly<Record<string, string>>): void {
  const misnamed = Object.keys(environment).filter((key) => !/^[A-Za-z]\w+$/.test(key));
  if (misnamed.length > 0) {
    throw new ResourceFailure(
      `environment variables: got the names ${misnamed.join(', ')}, expected a letter and one or more letters, digits, underscores`,
    );
  }
  const reserved = Object.keys(environment).filter((key) => RESERVED_VARIABLES.includes(key));
  if (reserved.length > 0) {
    throw new ResourceFailure(
      `Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: ${reserved.join(', ')}`,
    );
  }
  // Set by the rehearsal alone; on AWS it would bend the function's time.
  if (Env.CLOCK in environment) {
    throw new ResourceFailure(`the environment sets ${Env.CLOCK}, which is the rehearsal's own`);
  }
  const text = JSON.stringify(environment);
  if (Buffer.byteLength(text) > MAX_ENVIRONMENT_BYTES) {
    throw new ResourceFailure(
      `Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: ${text}`,
    );
  }
}

const versionSchema = z.strictObject({
  FunctionName: z.string(),
  CodeSha256: z.string().optional(),
  Description: z.string().max(256).optional(),
});

/** `AWS::Lambda::Version`: publishes `$LATEST`; refused when there is nothing new to publish. */
export class VersionHandler implements ResourceHandler {
  readonly #functions: Functions;
  readonly type = 'AWS::Lambda::Version';
  readonly source =
    'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-version.html';
  readonly properties = Object.keys(versionSchema.shape);
  readonly replaceOn = ['FunctionName', 'CodeSha256', 'Description'];

  constructor(functions: Functions) {
    this.#functions = functions;
  }

  async create(request: ResourceRequest): Promise<ResourceOutcome> {
    const properties = readProperties(this.type, versionSchema, request);
    const name = parseFunction(properties.FunctionName)?.name ?? properties.FunctionName;
    const latest = this.#functions.resolve(name, undefined).version;
    if (properties.CodeSha256 !== undefined && properties.CodeSha256 !== latest.settings.code.sha256) {
      throw new ResourceFailure(
        `CodeSHA256 (${properties.CodeSha256}) is different from current CodeSHA256 in $LATEST (${latest.settings.code.sha256}). Please try again with the CodeSHA256 in $LATEST.`,
      );
    }
    const { version, existed } = this.#functions.publish(name, properties.Description ?? '', request.stack.clock.now());
    if (existed) {
      throw new ResourceFailure(
        `A version for this Lambda function exists ( ${version.version} ). Modify the function to create a new version.`,
      );
    }
    return versionOutcome(functionArn(name, version.version), version.version);
  }

  async update(request: ResourceUpdateRequest): Promise<ResourceOutcome> {
    return versionOutcome(request.physicalId, parseFunction(request.physicalId)?.qualifier ?? '');
  }

  async delete(request: ResourceDeleteRequest): Promise<void> {
    const reference = parseFunction(request.physicalId);
    if (reference?.qualifier !== undefined) {
      this.#functions.deleteVersion(reference.name, reference.qualifier);
    }
  }
}

function versionOutcome(arn: string, version: string): ResourceOutcome {
  return { physicalId: arn, attributes: { FunctionArn: arn, Version: version } };
}

const permissionSchema = z.strictObject({
  Action: z.string().startsWith('lambda:'),
  FunctionName: z.string(),
  Principal: z.string(),
  SourceAccount: z.string().optional(),
  SourceArn: z.string().optional(),
});

/** `AWS::Lambda::Permission`: one statement in the resource policy of a function, a version or an alias. */
export class PermissionHandler implements ResourceHandler {
  readonly #functions: Functions;
  readonly #iam: IamPort;
  readonly type = 'AWS::Lambda::Permission';
  readonly source =
    'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-permission.html';
  readonly properties = Object.keys(permissionSchema.shape);
  readonly replaceOn = Object.keys(permissionSchema.shape);

  constructor(functions: Functions, iam: IamPort) {
    this.#functions = functions;
    this.#iam = iam;
  }

  async create(request: ResourceRequest): Promise<ResourceOutcome> {
    const properties = readProperties(this.type, permissionSchema, request);
    const reference = parseFunction(properties.FunctionName);
    if (reference === undefined) {
      throw new ResourceFailure(`${request.path}: FunctionName: got "${properties.FunctionName}", expected a function`);
    }
    const { arn } = this.#functions.resolve(reference.name, reference.qualifier);
    const id = physicalName(request.stack, request.logicalId, { maxLength: 100 });
    const conditions = {
      ...(properties.SourceArn === undefined ? {} : { ArnLike: { 'aws:SourceArn': properties.SourceArn } }),
      ...(properties.SourceAccount === undefined
        ? {}
        : { StringEquals: { 'aws:SourceAccount': properties.SourceAccount } }),
    };
    this.#iam.attachResourcePolicy(arn, id, {
      Version: '2012-10-17',
      Statement: [
        {
          Sid: id,
          Effect: 'Allow',
          Principal: properties.Principal.endsWith('.amazonaws.com')
            ? { Service: properties.Principal }
            : { AWS: properties.Principal },
          Action: properties.Action,
          Resource: arn,
          ...(Object.keys(conditions).length === 0 ? {} : { Condition: conditions }),
        },
      ],
    });
    return { physicalId: id, attributes: { Id: id } };
  }

  async update(request: ResourceUpdateRequest): Promise<ResourceOutcome> {
    return { physicalId: request.physicalId, attributes: { Id: request.physicalId } };
  }

  async delete(request: ResourceDeleteRequest): Promise<void> {
    const reference = parseFunction(String(request.properties.FunctionName));
    if (reference !== undefined) {
      this.#iam.detachResourcePolicy(functionArn(reference.name, reference.qualifier), request.physicalId);
    }
  }
}

const eventSourceMappingSchema = z.strictObject({
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
  readonly properties = Object.keys(eventSourceMappingSchema.shape);
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
    return mappingOutcome(id);
  }

  async update(request: ResourceUpdateRequest): Promise<ResourceOutcome> {
    const { settings } = this.#read(request);
    this.#mappings.get(request.physicalId)?.configure(settings);
    return mappingOutcome(request.physicalId);
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
    const properties = readProperties(this.type, eventSourceMappingSchema, request);
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

function mappingOutcome(id: string): ResourceOutcome {
  const arn = `arn:aws:lambda:${REHEARSAL_REGION}:${REHEARSAL_ACCOUNT}:event-source-mapping:${id}`;
  return { physicalId: id, attributes: { Id: id, EventSourceMappingArn: arn } };
}

const eventInvokeConfigSchema = z.strictObject({
  FunctionName: z.string(),
  Qualifier: z.string(),
  MaximumEventAgeInSeconds: cfnNumber.pipe(z.number().int().min(60).max(21_600)).optional(),
  MaximumRetryAttempts: cfnNumber.pipe(z.number().int().min(0).max(2)).optional(),
});

/** `AWS::Lambda::EventInvokeConfig`: retries and age of asynchronous invocations. Destinations are not rehearsable. */
export class EventInvokeConfigHandler implements ResourceHandler {
  readonly #functions: Functions;
  readonly #queue: AsyncQueue;
  readonly type = 'AWS::Lambda::EventInvokeConfig';
  readonly source =
    'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventinvokeconfig.html';
  readonly properties = Object.keys(eventInvokeConfigSchema.shape);
  readonly replaceOn = ['FunctionName', 'Qualifier'];

  constructor(functions: Functions, queue: AsyncQueue) {
    this.#functions = functions;
    this.#queue = queue;
  }

  async create(request: ResourceRequest): Promise<ResourceOutcome> {
    const { FunctionName, Qualifier } = readProperties(this.type, eventInvokeConfigSchema, request);
    this.#functions.resolve(FunctionName, Qualifier);
    if (this.#queue.configured(FunctionName, Qualifier)) {
      throw new ResourceFailure(
        `The function ${FunctionName}:${Qualifier} already has an EventInvokeConfig. Please update or delete the existing one.`,
      );
    }
    return this.#put(request, `${FunctionName}|${Qualifier}`);
  }

  async update(request: ResourceUpdateRequest): Promise<ResourceOutcome> {
    return this.#put(request, request.physicalId);
  }

  async delete(request: ResourceDeleteRequest): Promise<void> {
    const { FunctionName, Qualifier } = request.properties;
    this.#queue.configure(String(FunctionName), String(Qualifier), undefined);
  }

  #put(request: ResourceRequest, physicalId: string): ResourceOutcome {
    const properties = readProperties(this.type, eventInvokeConfigSchema, request);
    this.#queue.configure(properties.FunctionName, properties.Qualifier, {
      maximumRetries: properties.MaximumRetryAttempts,
      maximumAgeSeconds: properties.MaximumEventAgeInSeconds,
    });
    return { physicalId, attributes: {} };
  }
}
