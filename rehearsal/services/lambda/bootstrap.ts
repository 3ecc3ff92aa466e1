/**
 * Runs in the process of an execution environment: loads the function's handler once and calls it for each
 * invocation. Bundled into `assets/rehearsal-bootstrap`. Imports only types: the process belongs to the function,
 * and modules that it does not load cost no start-up time.
 *
 * Handlers are asynchronous functions; callbacks are not supported, as on the newest Node.js runtimes.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Done, FromEnvironment, FunctionErrorPayload, Invocation, Setup, ToEnvironment } from './protocol';

type Handler = (event: unknown, context: Record<string, unknown>) => unknown;

let setup: Setup | undefined;
let handler: Handler | undefined;
let current: Invocation | undefined;

process.on('message', (message: ToEnvironment) => {
  if (message.kind === 'setup') {
    setup = message;
    load(message).then(
      (loaded) => {
        handler = loaded;
        send({ kind: 'ready' });
      },
      (error: unknown) => send({ kind: 'setup_failed', error: describe(error) }),
    );
  } else {
    void invoke(message);
  }
});
// The rehearsal has ended.
process.on('disconnect', () => process.exit(0));
process.on('uncaughtException', (error) => crash(describe(error), 129));
process.on('unhandledRejection', (reason) => crash(describe(reason, 'Runtime.UnhandledPromiseRejection'), 128));

async function load({ codeDirectory, handler: name }: Setup): Promise<Handler> {
  const dot = name.lastIndexOf('.');
  const stem = join(codeDirectory, name.slice(0, dot));
  const exportName = name.slice(dot + 1);
  const file = ['.js', '.mjs', '.cjs'].map((extension) => stem + extension).find((path) => existsSync(path));
  if (file === undefined) {
    throw named('Runtime.ImportModuleError', `Error: Cannot find module '${name.slice(0, dot)}'`);
  }
  const loaded = await loadModule(file);
  const found = (loaded as Record<string, unknown>)[exportName];
  if (typeof found !== 'function') {
    throw named('Runtime.HandlerNotFound', `${name} is undefined or not exported`);
  }
  return found as Handler;
}

async function loadModule(file: string): Promise<unknown> {
  try {
    return file.endsWith('.mjs') ? await import(pathToFileURL(file).href) : require(file);
  } catch (error) {
    if (error instanceof Error && 'code' in error) {
      if (error.code === 'ERR_REQUIRE_ESM') {
        return import(pathToFileURL(file).href);
      }
      if (error.code === 'MODULE_NOT_FOUND') {
        throw named('Runtime.ImportModuleError', `Error: ${error.message}`);
      }
    }
    throw error;
  }
}

async function invoke(invocation: Invocation): Promise<void> {
  current = invocation;
  process.env._X_AMZN_TRACE_ID = invocation.traceHeader;
  let outcome: { readonly payload: string; readonly failed: boolean };
  try {
    const result = await handler?.(JSON.parse(invocation.event), contextOf(invocation));
    outcome = { payload: marshal(result), failed: false };
  } catch (error) {
    outcome = { payload: describe(error), failed: true };
    console.error(`${new Date().toISOString()}\t${invocation.requestId}\tERROR\tInvoke Error \t${outcome.payload}`);
  }
  finish(invocation, outcome);
}

function finish(invocation: Invocation, outcome: { readonly payload: string; readonly failed: boolean }): void {
  current = undefined;
  const mark = `${setup?.endMark}${invocation.requestId}\n`;
  // A line of its own even if the function left its last one open; an empty line is not passed on.
  process.stdout.write(`\n${mark}`);
  process.stderr.write(`\n${mark}`);
  send(doneOf(invocation, outcome));
}

/** An uncaught error of the function ends the current invocation, and the environment. */
function crash(error: string, exitCode: number): void {
  process.stderr.write(
    `${new Date().toISOString()}\t${current?.requestId}\tERROR\tUncaught Exception \t${error}\n`,
    () => {
      if (current === undefined || process.send === undefined) {
        process.exit(exitCode);
      }
      const message: FromEnvironment = doneOf(current, { payload: error, failed: true });
      process.send(message, () => process.exit(exitCode));
    },
  );
}

function doneOf(invocation: Invocation, outcome: { readonly payload: string; readonly failed: boolean }): Done {
  return {
    kind: 'done',
    requestId: invocation.requestId,
    ...outcome,
    maxMemoryMiB: Math.ceil(process.memoryUsage.rss() / 1_048_576),
  };
}

/** @see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-context.html */
function contextOf(invocation: Invocation): Record<string, unknown> {
  return {
    awsRequestId: invocation.requestId,
    invokedFunctionArn: invocation.functionArn,
    functionName: setup?.functionName,
    functionVersion: setup?.functionVersion,
    memoryLimitInMB: String(setup?.memoryMiB),
    logGroupName: setup?.logGroup,
    logStreamName: setup?.logStream,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, invocation.deadline - Date.now()),
  };
}

function marshal(result: unknown): string {
  try {
    return JSON.stringify(result) ?? 'null';
  } catch (error) {
    throw named('Runtime.MarshalError', `Unable to stringify response body: ${error}`);
  }
}

function describe(error: unknown, type?: string): string {
  const payload: FunctionErrorPayload =
    error instanceof Error
      ? {
          errorType: type ?? error.name,
          errorMessage: type === undefined ? error.message : `${error}`,
          trace: (error.stack ?? '').split('\n'),
        }
      : { errorType: type ?? typeof error, errorMessage: String(error), trace: [] };
  return JSON.stringify(payload);
}

function named(name: string, message: string): Error {
  const error = new Error(message);
  error.name = name;
  return error;
}

function send(message: FromEnvironment): void {
  process.send?.(message);
}
