import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { AliasView } from '../../core/ports';
import {
  type Call,
  type RehearsalService,
  type RequiredPermission,
  type RestRequest,
  RestResponse,
  ServiceError,
} from '../../core/service';
import type { Invoker } from './invoker';
import { type Functions, type FunctionVersion, functionArn, LATEST, parseFunction } from './model';

const PREFIX = '/2015-03-31/functions/';

const inputSchema = z.object({
  FunctionName: z.string(),
  Qualifier: z.string().optional(),
  Name: z.string().optional(),
  InvocationType: z.enum(['RequestResponse', 'Event', 'DryRun']).optional(),
  Payload: z.string().optional(),
});
type Input = z.infer<typeof inputSchema>;

/** The operations of the Lambda API that the library calls. @see https://docs.aws.amazon.com/lambda/latest/api/API_Operations.html */
export class LambdaOperations implements RehearsalService {
  readonly #functions: Functions;
  readonly #invoker: Invoker;
  readonly signingName = 'lambda';
  readonly protocol = 'restJson1';
  readonly operations = [
    'Invoke',
    'GetAlias',
    'ListAliases',
    'GetFunction',
    'GetFunctionConfiguration',
    'ListVersionsByFunction',
  ];

  constructor(functions: Functions, invoker: Invoker) {
    this.#functions = functions;
    this.#invoker = invoker;
  }

  route({
    method,
    path,
    query,
    headers,
    body,
  }: RestRequest): { readonly operation: string; readonly input: Record<string, unknown> } | undefined {
    if (!path.startsWith(PREFIX)) {
      return undefined;
    }
    const [FunctionName, kind, Name, ...more] = path.slice(PREFIX.length).split('/');
    const input = { FunctionName, Qualifier: query.Qualifier };
    if (more.length > 0) {
      return undefined;
    }
    if (method === 'POST' && kind === 'invocations') {
      const type = headers['x-amz-invocation-type'];
      return {
        operation: 'Invoke',
        input: { ...input, Payload: body.toString(), ...(type === undefined ? {} : { InvocationType: type }) },
      };
    }
    if (method !== 'GET') {
      return undefined;
    }
    switch (kind) {
      case undefined:
        return { operation: 'GetFunction', input };
      case 'configuration':
        return { operation: 'GetFunctionConfiguration', input };
      case 'versions':
        return { operation: 'ListVersionsByFunction', input };
      case 'aliases':
        return Name === undefined
          ? { operation: 'ListAliases', input }
          : { operation: 'GetAlias', input: { ...input, Name } };
      default:
        return undefined;
    }
  }

  /** @see https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html */
  authorize(call: Call): readonly RequiredPermission[] {
    const input = read(call);
    const { name, qualifier } = reference(input);
    if (call.operation === 'Invoke') {
      return [{ action: 'lambda:InvokeFunction', resource: functionArn(name, qualifier) }];
    }
    // Aliases and versions are read under the function's own ARN.
    return [{ action: `lambda:${call.operation}`, resource: functionArn(name) }];
  }

  async handle(call: Call): Promise<unknown> {
    const input = read(call);
    const { name, qualifier } = reference(input);
    switch (call.operation) {
      case 'Invoke':
        return this.#invoke(call, input);
      case 'GetAlias': {
        const alias = this.#functions.alias(name, input.Name ?? '');
        if (alias === undefined) {
          const arn = functionArn(name, input.Name);
          throw new ServiceError('ResourceNotFoundException', `Cannot find alias arn: ${arn}`, 404, { Type: 'User' });
        }
        return aliasOnWire(alias);
      }
      case 'ListAliases':
        return { Aliases: this.#functions.aliases(name).map(aliasOnWire) };
      case 'ListVersionsByFunction':
        return { Versions: this.#functions.versions(name).map((version) => versionOnWire(version, version.version)) };
      case 'GetFunctionConfiguration':
        return versionOnWire(this.#functions.resolve(name, qualifier).version, qualifier);
      case 'GetFunction': {
        const { version } = this.#functions.resolve(name, qualifier);
        const reserved = this.#functions.reserved(name);
        return {
          Configuration: versionOnWire(version, qualifier),
          Code: { RepositoryType: 'S3', Location: `file://${version.settings.code.directory}` },
          ...(reserved === undefined ? {} : { Concurrency: { ReservedConcurrentExecutions: reserved } }),
        };
      }
      default:
        throw new ServiceError('NotRehearsable', `not rehearsable: lambda.${call.operation}`, 501);
    }
  }

  async #invoke(call: Call, input: Input): Promise<RestResponse> {
    const { name, qualifier } = reference(input);
    if (input.InvocationType === 'DryRun') {
      this.#functions.resolve(name, qualifier);
      return new RestResponse(204, {}, '');
    }
    const traceHeader = call.headers['x-amzn-trace-id'];
    const payload = input.Payload ?? '';
    const result = await this.#invoker.invoke({
      function: name,
      qualifier,
      payload: payload === '' ? '{}' : payload,
      type: input.InvocationType ?? 'RequestResponse',
      traceHeader,
    });
    const headers: Record<string, string> = { 'content-type': 'application/json' };
    if (result.status === 200) {
      headers['x-amz-executed-version'] = result.executedVersion;
    }
    if (result.functionError !== undefined) {
      headers['x-amz-function-error'] = result.functionError;
    }
    return new RestResponse(result.status, headers, result.payload);
  }
}

function read(call: Call): Input {
  const parsed = inputSchema.safeParse(call.input);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new ServiceError('ValidationException', `${call.operation}: ${issue?.path.join('.')}: ${issue?.message}`);
  }
  return parsed.data;
}

function reference(input: Input): { readonly name: string; readonly qualifier: string | undefined } {
  const found = parseFunction(input.FunctionName, input.Qualifier);
  if (found === undefined) {
    throw new ServiceError(
      'ValidationException',
      `Value '${input.FunctionName}' at 'functionName' failed to satisfy constraint: expected a function name or ARN`,
    );
  }
  return { name: found.name, qualifier: found.qualifier };
}

function aliasOnWire(alias: AliasView): Record<string, unknown> {
  const weighted = Object.keys(alias.weights).length > 0;
  return {
    AliasArn: functionArn(alias.functionName, alias.name),
    Name: alias.name,
    FunctionVersion: alias.version,
    Description: '',
    ...(weighted ? { RoutingConfig: { AdditionalVersionWeights: alias.weights } } : {}),
    RevisionId: randomUUID(),
  };
}

function versionOnWire(version: FunctionVersion, qualifier: string | undefined): Record<string, unknown> {
  const { settings } = version;
  return {
    FunctionName: version.functionName,
    FunctionArn: functionArn(version.functionName, qualifier),
    Runtime: settings.runtime,
    Role: settings.roleArn,
    Handler: settings.handler,
    CodeSize: settings.code.bytes,
    CodeSha256: settings.code.sha256,
    Description: version.description,
    Timeout: settings.timeoutSeconds,
    MemorySize: settings.memoryMiB,
    LastModified: new Date(version.lastModified).toISOString().replace('Z', '+0000'),
    Version: version.version === LATEST ? LATEST : version.version,
    Environment: { Variables: settings.environment },
    TracingConfig: { Mode: settings.tracing },
    State: 'Active',
    LastUpdateStatus: 'Successful',
    PackageType: 'Zip',
    Architectures: [settings.architecture],
    EphemeralStorage: { Size: settings.ephemeralStorageMiB },
    LoggingConfig: { LogFormat: settings.logFormat, LogGroup: settings.logGroup },
  };
}
