import { readFileSync } from 'node:fs';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { type RedriveAnswer, type RedriveRequest, redriveAnswerSchema } from '../../lambda/functions/redrive/protocol';

/** The function could not be found, invoked, or understood. The message says what to do. */
export class RedriveError extends Error {
  override readonly name = 'RedriveError';

  constructor(
    message: string,
    /** The command was used wrongly, rather than something being out of order. */
    readonly isUsage = false,
  ) {
    super(message);
  }
}

/** An output's key in the template: CDK appends a hash of the path. */
const OUTPUT = /RedriveFunction([0-9A-F]{8})?$/;

/**
 * Name of the redrive function, from the file that `cdk deploy --outputs-file` wrote.
 *
 * @param stack needed when more than one stack in it has an agent
 * @throws RedriveError naming what is there
 */
export function functionInOutputs(file: string, stack: string | undefined): string {
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
        'is it of a deployment of an AgentService, written by `cdk deploy --outputs-file`?',
      true,
    );
  }
  if (others.length > 0) {
    throw new RedriveError(
      `${file} has more than one agent: ${found.map(({ name, key }) => `${name}.${key}`).join(', ')}. ` +
        'Choose by --stack, or give the value of one to --function',
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
      `${file} is no outputs file of \`cdk deploy\`: expected {"Stack": {"Output": "value"}}`,
      true,
    );
  }
  return content as Record<string, Record<string, string>>;
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.map((name) => `"${name}"`).join(', ');
}

/** Asks the redrive function once. */
export type AskFunction = (request: Partial<RedriveRequest>) => Promise<RedriveAnswer>;

/** A client that waits as long as a function may run, and asks once: asking again is for whoever sees the answer. */
export function redriveClient(region: string | undefined): LambdaClient {
  return new LambdaClient({
    maxAttempts: 1,
    requestHandler: { connectionTimeout: 5_000, requestTimeout: 16 * 60_000 },
    region,
  });
}

/** @throws RedriveError */
export function functionAsker(client: LambdaClient, functionName: string): AskFunction {
  return async (request) => {
    const { FunctionError, Payload } = await client
      .send(new InvokeCommand({ FunctionName: functionName, Payload: Buffer.from(JSON.stringify(request)) }))
      .catch((error: unknown) => {
        throw new RedriveError(explain(error, functionName));
      });
    const text = Buffer.from(Payload ?? []).toString('utf8');
    if (FunctionError !== undefined) {
      throw new RedriveError(`${functionName} failed: ${errorIn(text)}. Its log says more`);
    }
    const parsed = redriveAnswerSchema.safeParse(parse(text));
    if (!parsed.success) {
      throw new RedriveError(
        `${functionName} answered what no redrive function of this version answers: is it the one, and is this the ` +
          'version of cdk-agent-lanes that it was deployed with?',
      );
    }
    return parsed.data;
  };
}

function explain(error: unknown, functionName: string): string {
  const { name, message } = error instanceof Error ? error : { name: '', message: String(error) };
  switch (name) {
    case 'ResourceNotFoundException':
      return `there is no function ${functionName} in this account and region: check --function, --region, AWS_PROFILE`;
    case 'AccessDeniedException':
      return `${message}. Operators get the permission by agent.grants.redrive(…)`;
    case 'CredentialsProviderError':
      return `no AWS credentials: ${message}`;
    default:
      return `${functionName} could not be invoked: ${name}: ${message}`;
  }
}

function errorIn(payload: string): string {
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
