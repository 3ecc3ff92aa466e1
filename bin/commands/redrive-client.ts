import { readFileSync } from 'node:fs';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { type RedriveAnswer, type RedriveRequest, redriveAnswerSchema } from '../../lambda/functions/redrive/protocol';

/** The function could not be found or invoked, or its answer could not be read. The message says what to do. */
export class RedriveError extends Error {
  override readonly name = 'RedriveError';

  constructor(
    message: string,
    /** Whether the command line is wrong, as opposed to the deployment. */
    readonly isUsage = false,
  ) {
    super(message);
  }
}

/** The key of the output in the template: the CDK may append a hash of the construct path. */
const OUTPUT = /RedriveFunction([0-9A-F]{8})?$/;

/**
 * Name of the redrive function, from the file that `cdk deploy --outputs-file` wrote.
 *
 * @param stack required when more than one stack in the file has an agent
 * @throws RedriveError with the names that the file has
 */
export function functionNameFromOutputs(file: string, stack: string | undefined): string {
  const outputs = readOutputs(file);
  const stacks = Object.keys(outputs);
  if (stack !== undefined && !stacks.includes(stack)) {
    throw new RedriveError(`${file} has no stack "${stack}"; it has ${listed(stacks)}`, true);
  }
  const found = stacks
    .filter((name) => stack === undefined || name === stack)
    .flatMap((name) =>
      Object.entries(outputs[name] ?? {})
        .filter(([key]) => OUTPUT.test(key))
        .map(([key, value]) => ({ name, key, value })),
    );
  const [only, ...others] = found;
  if (only === undefined) {
    throw new RedriveError(
      `${file} has no output whose name ends with RedriveFunction${stack === undefined ? '' : ` in stack ${stack}`}: ` +
        'give the file that `cdk deploy --outputs-file` wrote for a stack with an AgentService',
      true,
    );
  }
  if (others.length > 0) {
    throw new RedriveError(
      `${file} has more than one agent: ${found.map(({ name, key }) => `${name}.${key}`).join(', ')}: ` +
        'select one with --stack, or give its value with --function',
      true,
    );
  }
  return only.value;
}

function readOutputs(file: string): Readonly<Record<string, Readonly<Record<string, string>>>> {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new RedriveError(`${file} cannot be read as JSON: ${error instanceof Error ? error.message : error}`, true);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new RedriveError(
      `${file} is not an outputs file of \`cdk deploy\`: expected {"Stack": {"Output": "value"}}`,
      true,
    );
  }
  return content as Record<string, Record<string, string>>;
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.map((name) => `"${name}"`).join(', ');
}

/** Invokes the redrive function once. */
export type InvokeRedrive = (request: Partial<RedriveRequest>) => Promise<RedriveAnswer>;

/** The client waits as long as a function may run. It does not retry: an invocation that timed out may have redriven tasks. */
export function createRedriveClient(region: string | undefined): LambdaClient {
  return new LambdaClient({
    maxAttempts: 1,
    requestHandler: { connectionTimeout: 5_000, requestTimeout: 16 * 60_000 },
    region,
  });
}

/** @throws RedriveError */
export function createRedriveInvoker(client: LambdaClient, functionName: string): InvokeRedrive {
  return async (request) => {
    const { FunctionError, Payload } = await client
      .send(new InvokeCommand({ FunctionName: functionName, Payload: Buffer.from(JSON.stringify(request)) }))
      .catch((error: unknown) => {
        throw new RedriveError(explain(error, functionName));
      });
    const text = Buffer.from(Payload ?? []).toString('utf8');
    if (FunctionError !== undefined) {
      throw new RedriveError(`${functionName} failed: ${errorOf(text)}: see its log group`);
    }
    const parsed = redriveAnswerSchema.safeParse(parse(text));
    if (!parsed.success) {
      throw new RedriveError(
        `${functionName} gave an answer that is not one of a redrive function: check the name, and use the version of ` +
          'cdk-agent-lanes that deployed it',
      );
    }
    return parsed.data;
  };
}

function explain(error: unknown, functionName: string): string {
  const { name, message } = error instanceof Error ? error : { name: '', message: String(error) };
  switch (name) {
    case 'ResourceNotFoundException':
      return `function ${functionName} does not exist in this account and region: check --function, --region and AWS_PROFILE`;
    case 'AccessDeniedException':
      return `${message}: agent.grants.redrive(…) grants the permission`;
    case 'CredentialsProviderError':
      return `no AWS credentials: ${message}`;
    default:
      return `${functionName} could not be invoked: ${name}: ${message}`;
  }
}

function errorOf(payload: string): string {
  const content = parse(payload);
  const { errorType, errorMessage } =
    typeof content === 'object' && content !== null
      ? (content as { readonly errorType?: unknown; readonly errorMessage?: unknown })
      : {};
  return errorMessage === undefined ? payload.slice(0, 500) : `${errorType ?? 'Error'}: ${errorMessage}`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
