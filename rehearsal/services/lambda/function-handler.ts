import { z } from 'zod';
import { Env } from '../../../lib/contract/environment';
import { physicalName } from '../../core/physical-name';
import type { IamPort } from '../../core/ports';
import { cfnNumber, cfnTags, readProperties } from '../../core/properties';
import {
  type ResourceDeleteRequest,
  ResourceFailure,
  type ResourceHandler,
  type ResourceOutcome,
  type ResourceRequest,
  type ResourceUpdateRequest,
} from '../../core/resource';
import { functionArn } from './arn';
import type { CodeStore, FunctionCode } from './code-store';
import type { FunctionSettings, Functions } from './functions';

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

const propertiesSchema = z.strictObject({
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
type FunctionProperties = z.infer<typeof propertiesSchema>;

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
  readonly properties = Object.keys(propertiesSchema.shape);
  readonly replaceOn = ['FunctionName', 'PackageType'];

  constructor(functions: Functions, code: CodeStore, iam: IamPort) {
    this.#functions = functions;
    this.#code = code;
    this.#iam = iam;
  }

  async create(request: ResourceRequest): Promise<ResourceOutcome> {
    const properties = readProperties(this.type, propertiesSchema, request);
    const name = properties.FunctionName ?? physicalName(request.stack, request.logicalId, { maxLength: 64 });
    if (this.#functions.has(name)) {
      throw new ResourceFailure(`${name} already exists`);
    }
    const settings = await this.#settings(name, properties);
    this.#functions.create(name, settings, properties.Description ?? '', request.stack.clock.now());
    return this.#outcome(name, properties);
  }

  async update(request: ResourceUpdateRequest): Promise<ResourceOutcome> {
    const properties = readProperties(this.type, propertiesSchema, request);
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
