import { errorResponseSchema, IDEMPOTENCY_HEADER, submitResponseSchema, TASKS_PATH } from '../../../lib/contract';
import type { Cancellation, Submission } from '../report/history';
import type { ApiClient } from './api-client';
import { type Patience, sendWithRetries } from './retrying-caller';
import type { PlannedRequest, TrafficPlan } from './traffic-plan';

/** How often requests that are due are sent, in real milliseconds. */
const TICK_MS = 20;

/** Requests in flight at most: above it the generator waits instead of piling up sockets. */
const MAX_IN_FLIGHT = 64;

/** How often the queues are looked at, in real milliseconds. */
const LOOK_MS = 100;

/** A pause longer than this is not caught up on, so that traffic never comes as a burst. Real milliseconds. */
const CATCH_UP_MS = 200;

/** Sends the requests of a plan at an even rate over real HTTP, and keeps what became of each. */
export class TrafficGenerator {
  private readonly sent: Submission[] = [];
  private readonly cancelled: Cancellation[] = [];
  private readonly waiting = new Set<Promise<void>>();
  private readonly answers = new Map<number, Promise<void>>();
  private timer: NodeJS.Timeout | undefined;
  private due = 0;
  private held = false;
  private looked = 0;
  private lastTick = 0;

  constructor(
    private readonly plan: TrafficPlan,
    private readonly client: ApiClient,
    /** Requests per real second. */
    private readonly rate: number,
    /** Cloud time. */
    private readonly now: () => number,
    /**
     * Whether enough tasks wait, with so many requests on their way to them: nothing more is sent then, so that a slow machine
     * is slow and not overrun.
     */
    private readonly enoughWaiting: (inProgress: number) => boolean,
    /** How callers repeat what was not answered, or not now. */
    private readonly scaledTimeout: Patience,
  ) {}

  get submissions(): readonly Submission[] {
    return this.sent;
  }

  get cancellations(): readonly Cancellation[] {
    return this.cancelled;
  }

  /** Tasks sent so far, repeats not counted. */
  get tasks(): number {
    return this.plan.planned;
  }

  get running(): boolean {
    return this.timer !== undefined;
  }

  start(): void {
    if (this.timer !== undefined) {
      return;
    }
    this.lastTick = performance.now();
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  /** Sends nothing more, and waits for the answers that are under way. */
  async pause(): Promise<void> {
    clearInterval(this.timer);
    this.timer = undefined;
    while (this.waiting.size > 0) {
      await Promise.all(this.waiting);
    }
  }

  private tick(): void {
    const now = performance.now();
    this.due += (Math.min(now - this.lastTick, CATCH_UP_MS) / 1000) * this.rate;
    this.lastTick = now;
    if (now - this.looked >= LOOK_MS) {
      this.looked = now;
      this.held = this.enoughWaiting(this.waiting.size);
    }
    if (this.held) {
      this.due = 0;
      return;
    }
    while (this.due >= 1 && this.waiting.size < MAX_IN_FLIGHT) {
      this.due -= 1;
      const sending = this.send(this.plan.next());
      this.waiting.add(sending);
      sending.finally(() => this.waiting.delete(sending));
    }
  }

  private send(planned: PlannedRequest): Promise<void> {
    // A repeat that overtakes the request it repeats would be the first itself.
    const before = planned.repeats === undefined ? undefined : this.answers.get(planned.repeats);
    const answer = (async () => {
      await before;
      const submission = await this.submit(planned);
      this.sent.push(submission);
      if (planned.cancelAfterMs !== undefined && submission.taskId !== undefined) {
        this.cancelLater(submission.taskId, planned.cancelAfterMs);
      }
    })();
    if (planned.idempotencyKey !== undefined) {
      this.answers.set(planned.sequence, answer);
    }
    return answer;
  }

  private cancelLater(taskId: string, afterMs: number): void {
    const cancelling = (async () => {
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      const { status } = await sendWithRetries(this.client, this.scaledTimeout, 'DELETE', `${TASKS_PATH}/${taskId}`);
      this.cancelled.push({ taskId, status });
    })();
    this.waiting.add(cancelling);
    cancelling.finally(() => this.waiting.delete(cancelling));
  }

  private async submit(planned: PlannedRequest): Promise<Submission> {
    const at = this.now();
    const headers: Record<string, string> =
      planned.idempotencyKey === undefined ? {} : { [IDEMPOTENCY_HEADER]: planned.idempotencyKey };
    const { status, body, text, tries } = await sendWithRetries(
      this.client,
      this.scaledTimeout,
      'POST',
      TASKS_PATH,
      planned.body,
      headers,
    );
    const accepted = status === 202 ? submitResponseSchema.safeParse(body) : undefined;
    const refused = errorResponseSchema.safeParse(body);
    const problem = accepted?.success
      ? undefined
      : accepted !== undefined
        ? `an answer that is not as documented: ${text.slice(0, 200)}`
        : refused.success
          ? `${refused.data.error.code}: ${refused.data.error.message}`
          : text.slice(0, 200);
    return {
      sequence: planned.sequence,
      user: planned.user,
      at,
      status: problem !== undefined && status === 202 ? 0 : status,
      ...(tries === 1 ? {} : { tries }),
      ...(accepted?.success ? { taskId: accepted.data.id } : {}),
      repeats: planned.repeats,
      problem,
    };
  }
}
