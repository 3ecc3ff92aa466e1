import { randomBytes, randomUUID } from 'node:crypto';
import type { RehearsalClock } from '../../core/clock';
import type { FaultsPort } from '../../core/faults';
import type { IamPort, InvokeRequest, InvokeResult, MetricsPort } from '../../core/ports';
import { REHEARSAL_ACCOUNT } from '../../core/resource';
import { ServiceError } from '../../core/service';
import type { AsyncQueue } from './async-queue';
import type { ExecutionEnvironment, InvocationOutcome } from './execution-environment';
import type { Fleet } from './fleet';
import {
  type FunctionRun,
  type FunctionRunResult,
  type Functions,
  parseFunction,
  type ResolvedFunction,
} from './model';

/** @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
const MAX_SYNCHRONOUS_BYTES = 6_291_456;
const MAX_ASYNCHRONOUS_BYTES = 1_048_576;

export interface InvokerDeps {
  readonly clock: RehearsalClock;
  readonly iam: IamPort;
  readonly metrics: MetricsPort;
  readonly functions: Functions;
  readonly fleet: Fleet;
  /** Writes a line to the function's log as the environment's log stream. */
  readonly log: (environment: ExecutionEnvironment, line: string) => void;
  /** What goes wrong on purpose. @default nothing */
  readonly faults?: FaultsPort;
}

/**
 * Invokes functions: resolves the alias, keeps to the reserved concurrency, runs the version in an environment, writes the
 * log lines and the metrics that Lambda itself writes.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
 */
export class Invoker {
  readonly #deps: InvokerDeps;
  readonly #asyncQueue: AsyncQueue;
  readonly #running = new Map<string, number>();

  constructor(deps: InvokerDeps, asyncQueue: AsyncQueue) {
    this.#deps = deps;
    this.#asyncQueue = asyncQueue;
  }

  /** @throws ServiceError for what the Invoke API refuses; a function that fails is a result */
  async invoke(request: InvokeRequest): Promise<InvokeResult> {
    const reference = parseFunction(request.function, request.qualifier);
    if (reference === undefined) {
      throw new ServiceError('ValidationException', `function: got "${request.function}", expected a name or an ARN`);
    }
    const { name, qualifier } = reference;
    const resolved = this.#deps.functions.resolve(name, qualifier);
    this.#authorize(request, resolved);
    checkPayload(request.payload, request.type === 'Event' ? MAX_ASYNCHRONOUS_BYTES : MAX_SYNCHRONOUS_BYTES);
    const run: FunctionRun = { name, qualifier, payload: request.payload, traceHeader: request.traceHeader };
    if (request.type === 'Event') {
      this.#asyncQueue.add({ ...run, requestId: randomUUID() }, (attempt) => this.run(attempt));
      return { status: 202, payload: '', executedVersion: resolved.version.version };
    }
    const result = await this.run(run, resolved);
    if (result.kind === 'throttled') {
      throw new ServiceError('TooManyRequestsException', 'Rate Exceeded.', 429, {
        Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
        Type: 'User',
      });
    }
    const { outcome, version } = result;
    if (!outcome.failed && Buffer.byteLength(outcome.payload) > MAX_SYNCHRONOUS_BYTES) {
      const payload = JSON.stringify({
        errorType: 'Function.ResponseSizeTooLarge',
        errorMessage: `Response payload size exceeded maximum allowed payload size (${MAX_SYNCHRONOUS_BYTES} bytes).`,
      });
      return { status: 200, payload, functionError: 'Unhandled', executedVersion: version };
    }
    return {
      status: 200,
      payload: outcome.payload,
      executedVersion: version,
      ...(outcome.failed ? { functionError: 'Unhandled' } : {}),
    };
  }

  /**
   * Runs the function once.
   * @param resolved what to run. @default drawn from the alias now
   * @throws ServiceError ResourceNotFoundException
   */
  async run(
    run: FunctionRun,
    resolved = this.#deps.functions.resolve(run.name, run.qualifier),
  ): Promise<FunctionRunResult> {
    const { functions, fleet } = this.#deps;
    const before = this.#running.get(run.name) ?? 0;
    const reserved = functions.reserved(run.name);
    if (reserved !== undefined && before >= reserved) {
      this.#emitMetrics(run, resolved, { Throttles: 1 });
      return { kind: 'throttled' };
    }
    this.#running.set(run.name, before + 1);
    this.#deps.metrics.put('AWS/Lambda', 'ConcurrentExecutions', { FunctionName: run.name }, [before + 1], 'Count');
    const requestId = run.requestId ?? randomUUID();
    const report: { environment?: ExecutionEnvironment; cold: boolean } = { cold: false };
    try {
      const outcome = await fleet.run({
        version: resolved.version,
        invocation: {
          requestId,
          functionArn: resolved.arn,
          event: run.payload,
          traceHeader: traceHeaderFor(run.traceHeader, resolved.version.settings.tracing),
        },
        source: run.source,
        onStart: (environment, cold) => {
          report.environment = environment;
          report.cold = cold;
          this.#logStart(environment, requestId, resolved);
          this.#injectFault(environment, requestId, run);
          run.onStart?.();
        },
      });
      if (report.environment !== undefined) {
        this.#logEnd(report.environment, requestId, resolved, outcome, report.cold);
      }
      this.#emitMetrics(run, resolved, {
        Invocations: 1,
        Errors: outcome.failed ? 1 : 0,
        Throttles: 0,
        Duration: outcome.durationMs,
      });
      return { kind: 'ran', outcome, version: resolved.version.version, requestId };
    } finally {
      this.#running.set(run.name, (this.#running.get(run.name) ?? 1) - 1);
    }
  }

  /** Kills or freezes the process while it runs this invocation, if the plan says so. */
  #injectFault(environment: ExecutionEnvironment, requestId: string, run: FunctionRun): void {
    const { faults } = this.#deps;
    const fault = faults?.processFault(run.name, run.payload);
    if (faults === undefined || fault === undefined) {
      return;
    }
    const timer = setTimeout(() => {
      if (environment.busyWith !== requestId) {
        return;
      }
      if (fault.kind === 'killed') {
        environment.kill('Error: Runtime exited with error: signal: killed');
        faults.recordInjected(fault, run.name, run.payload);
      } else if (environment.suspend(fault.forMs)) {
        run.onSuspended?.();
        faults.recordInjected(fault, run.name, run.payload);
      }
    }, fault.afterMs);
    timer.unref();
  }

  #authorize(request: InvokeRequest, resolved: ResolvedFunction): void {
    const { invoker } = request;
    if (invoker === undefined) {
      return;
    }
    const decision = this.#deps.iam.decide(
      { kind: 'service', arn: invoker.service, label: invoker.service },
      {
        action: 'lambda:InvokeFunction',
        resource: resolved.arn,
        conditions: {
          'aws:SourceAccount': [REHEARSAL_ACCOUNT],
          ...(invoker.sourceArn === undefined ? {} : { 'aws:SourceArn': [invoker.sourceArn] }),
        },
      },
    );
    if (!decision.allowed) {
      throw new ServiceError('AccessDeniedException', decision.reason, 403);
    }
  }

  #emitMetrics(run: FunctionRun, resolved: ResolvedFunction, values: Readonly<Record<string, number>>): void {
    const resource = run.qualifier === undefined ? run.name : `${run.name}:${run.qualifier}`;
    const dimensions: Record<string, string>[] = [
      { FunctionName: run.name },
      { FunctionName: run.name, Resource: resource },
    ];
    if (resolved.alias !== undefined) {
      dimensions.push({ FunctionName: run.name, Resource: resource, ExecutedVersion: resolved.version.version });
    }
    for (const [name, value] of Object.entries(values)) {
      for (const set of dimensions) {
        this.#deps.metrics.put('AWS/Lambda', name, set, [value], name === 'Duration' ? 'Milliseconds' : 'Count');
      }
    }
  }

  #logStart(environment: ExecutionEnvironment, requestId: string, { version }: ResolvedFunction): void {
    this.#deps.log(
      environment,
      version.settings.logFormat === 'JSON'
        ? this.#platformLine('platform.start', { requestId, version: version.version })
        : `START RequestId: ${requestId} Version: ${version.version}`,
    );
  }

  /** @see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html */
  #logEnd(
    environment: ExecutionEnvironment,
    requestId: string,
    { version }: ResolvedFunction,
    outcome: InvocationOutcome,
    cold: boolean,
  ): void {
    const { settings } = version;
    const durationMs = Number(outcome.durationMs.toFixed(2));
    const billedMs = Math.ceil(outcome.durationMs);
    if (settings.logFormat === 'JSON') {
      const metrics = {
        durationMs,
        billedDurationMs: billedMs,
        memorySizeMB: settings.memoryMiB,
        maxMemoryUsedMB: outcome.maxMemoryMiB,
        ...(cold ? { initDurationMs: Number(environment.bootMs.toFixed(2)) } : {}),
      };
      const status = outcome.failed ? 'failure' : 'success';
      this.#deps.log(environment, this.#platformLine('platform.report', { requestId, metrics, status }));
      return;
    }
    const now = new Date(this.#deps.clock.now()).toISOString();
    if (outcome.environmentLost) {
      this.#deps.log(environment, `${now} ${requestId} ${messageOf(outcome.payload)}`);
    }
    this.#deps.log(environment, `END RequestId: ${requestId}`);
    const fields = [
      `REPORT RequestId: ${requestId}`,
      `Duration: ${durationMs.toFixed(2)} ms`,
      `Billed Duration: ${billedMs} ms`,
      `Memory Size: ${settings.memoryMiB} MB`,
      `Max Memory Used: ${outcome.maxMemoryMiB} MB`,
      ...(cold ? [`Init Duration: ${environment.bootMs.toFixed(2)} ms`] : []),
    ];
    this.#deps.log(environment, fields.join('\t'));
  }

  #platformLine(type: string, record: Record<string, unknown>): string {
    return JSON.stringify({ time: new Date(this.#deps.clock.now()).toISOString(), type, record });
  }
}

function checkPayload(payload: string, limit: number): void {
  const bytes = Buffer.byteLength(payload);
  if (bytes > limit) {
    throw new ServiceError(
      'RequestTooLargeException',
      `Request must be smaller than ${limit} bytes for the InvokeFunction operation, got ${bytes}`,
      413,
    );
  }
  try {
    JSON.parse(payload);
  } catch (error) {
    throw new ServiceError(
      'InvalidRequestContentException',
      `Could not parse request body into json: ${error instanceof Error ? error.message : error}`,
    );
  }
}

/**
 * The trace of this invocation: the caller's, or a new one. Where the caller has not decided whether it is sampled, active
 * tracing does.
 *
 * @see https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
 */
function traceHeaderFor(incoming: string | undefined, tracing: 'Active' | 'PassThrough'): string {
  const root = /Root=([^;\s]+)/.exec(incoming ?? '')?.[1];
  if (incoming !== undefined && root !== undefined && incoming.includes('Sampled=')) {
    return incoming;
  }
  const seconds = Math.floor(Date.now() / 1000).toString(16);
  const trace = root ?? `1-${seconds}-${randomBytes(12).toString('hex')}`;
  return `Root=${trace};Parent=${randomBytes(8).toString('hex')};Sampled=${tracing === 'Active' ? 1 : 0}`;
}

function messageOf(payload: string): string {
  const value: unknown = JSON.parse(payload);
  const message = typeof value === 'object' && value !== null && 'errorMessage' in value ? value.errorMessage : payload;
  return String(message).replace(/^RequestId: \S+ (Error: )?/, '');
}
