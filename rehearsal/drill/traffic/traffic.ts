import { errorResponseSchema, IDEMPOTENCY_HEADER, submitResponseSchema, TASKS_PATH } from '../../../lib/contract';
import type { Cancellation, Submission } from '../report/history';
import { type ApiClient, type RetryPolicy, sendWithRetries } from './api-client';
import type { PlannedRequest, TrafficPlan } from './traffic-plan';

/** Interval at which due requests are sent, in real milliseconds. */
const TICK_MS = 20;

/** Maximum number of requests in flight: above it the generator pauses instead of opening more sockets. */
const MAX_IN_FLIGHT = 64;

/** Interval at which the backlog is checked, in real milliseconds. */
const BACKLOG_CHECK_MS = 100;

/** Maximum pause that is made up for, in real milliseconds, so that traffic never comes as a burst. */
const MAX_CATCH_UP_MS = 200;

export interface TrafficGeneratorDeps {
  readonly plan: TrafficPlan;
  readonly client: ApiClient;
  readonly ratePerRealSecond: number;
  /** Cloud time. */
  readonly now: () => number;
  /** Whether to pause, given the number of requests in flight: a slow machine must not be overloaded. */
  readonly isBacklogFull: (inFlight: number) => boolean;
  readonly retryPolicy: RetryPolicy;
}

/** Sends the requests of a plan over HTTP at an even rate, and records the result of each. */
export class TrafficGenerator {
  readonly #deps: TrafficGeneratorDeps;
  readonly #submissions: Submission[] = [];
  readonly #cancellations: Cancellation[] = [];
  readonly #inFlight = new Set<Promise<void>>();
  /** Sequence of a request with an idempotency key → its completion. */
  readonly #completions = new Map<number, Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #dueRequests = 0;
  #isBacklogFull = false;
  #lastBacklogCheck = 0;
  #lastTick = 0;

  constructor(deps: TrafficGeneratorDeps) {
    this.#deps = deps;
  }

  get submissions(): readonly Submission[] {
    return this.#submissions;
  }

  get cancellations(): readonly Cancellation[] {
    return this.#cancellations;
  }

  /** Number of tasks sent so far, without repeats. */
  get tasks(): number {
    return this.#deps.plan.plannedTasks;
  }

  get isRunning(): boolean {
    return this.#timer !== undefined;
  }

  start(): void {
    if (this.#timer !== undefined) {
      return;
    }
    this.#lastTick = performance.now();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Stops sending, and waits for the responses to requests in flight. */
  async pause(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    while (this.#inFlight.size > 0) {
      await Promise.all(this.#inFlight);
    }
  }

  #tick(): void {
    const { plan, ratePerRealSecond, isBacklogFull } = this.#deps;
    const now = performance.now();
    this.#dueRequests += (Math.min(now - this.#lastTick, MAX_CATCH_UP_MS) / 1000) * ratePerRealSecond;
    this.#lastTick = now;
    if (now - this.#lastBacklogCheck >= BACKLOG_CHECK_MS) {
      this.#lastBacklogCheck = now;
      this.#isBacklogFull = isBacklogFull(this.#inFlight.size);
    }
    if (this.#isBacklogFull) {
      this.#dueRequests = 0;
      return;
    }
    while (this.#dueRequests >= 1 && this.#inFlight.size < MAX_IN_FLIGHT) {
      this.#dueRequests -= 1;
      this.#track(this.#send(plan.next()));
    }
  }

  #track(sending: Promise<void>): void {
    this.#inFlight.add(sending);
    sending.finally(() => this.#inFlight.delete(sending));
  }

  #send(planned: PlannedRequest): Promise<void> {
    // A repeat waits for the original request: otherwise it could overtake it and become the original.
    const original = planned.repeats === undefined ? undefined : this.#completions.get(planned.repeats);
    const completion = (async () => {
      await original;
      const submission = await this.#submit(planned);
      this.#submissions.push(submission);
      if (planned.cancelAfterMs !== undefined && submission.taskId !== undefined) {
        this.#track(this.#cancel(submission.taskId, planned.cancelAfterMs));
      }
    })();
    if (planned.idempotencyKey !== undefined) {
      this.#completions.set(planned.sequence, completion);
    }
    return completion;
  }

  async #cancel(taskId: string, afterMs: number): Promise<void> {
    const { client, retryPolicy } = this.#deps;
    await new Promise((resolve) => setTimeout(resolve, afterMs));
    const { status } = await sendWithRetries(client, retryPolicy, 'DELETE', `${TASKS_PATH}/${taskId}`);
    this.#cancellations.push({ taskId, status });
  }

  async #submit(planned: PlannedRequest): Promise<Submission> {
    const { client, retryPolicy, now } = this.#deps;
    const at = now();
    const headers: Record<string, string> =
      planned.idempotencyKey === undefined ? {} : { [IDEMPOTENCY_HEADER]: planned.idempotencyKey };
    const response = await sendWithRetries(client, retryPolicy, 'POST', TASKS_PATH, planned.body, headers);
    const { status, body, text, attempts } = response;
    const accepted = status === 202 ? submitResponseSchema.safeParse(body) : undefined;
    const refused = errorResponseSchema.safeParse(body);
    const problem = accepted?.success
      ? undefined
      : accepted !== undefined
        ? `undocumented response: ${text.slice(0, 200)}`
        : refused.success
          ? `${refused.data.error.code}: ${refused.data.error.message}`
          : text.slice(0, 200);
    return {
      sequence: planned.sequence,
      user: planned.user,
      at,
      status: problem !== undefined && status === 202 ? 0 : status,
      ...(attempts === 1 ? {} : { attempts }),
      ...(accepted?.success ? { taskId: accepted.data.id } : {}),
      repeats: planned.repeats,
      problem,
    };
  }
}
