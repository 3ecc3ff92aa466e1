import { type Json, PRIORITIES, type Priority, type SubmitRequest } from '../../../lib/contract';
import { type Random, seededRandom, shuffled } from '../../core/random';
import type { Traffic } from '../scenario/scenario';

/** One request to send. */
export interface PlannedRequest {
  readonly sequence: number;
  readonly user: string;
  readonly body: SubmitRequest;
  readonly idempotencyKey?: string;
  /** Sequence of the request that this one repeats. */
  readonly repeats?: number;
  /** Real milliseconds after its acceptance at which the caller cancels the task. */
  readonly cancelAfterMs?: number;
}

/** A caller changes its mind within so many real milliseconds: while the task waits, runs, or has ended. */
const CANCEL_WITHIN_MS = 1_500;

/** Requests between a request and its repeat: short ones meet the task while it waits, long ones when it is done. */
const REPEAT_DISTANCE = [1, 5, 50] as const;

export interface PlanOptions {
  /** Every request gets an idempotency key, so that its caller may repeat it. */
  readonly repeatable?: boolean;
  /** Where webhooks are received; none are asked for without it. */
  readonly webhookUrl?: string;
}

/**
 * The requests in order, endless and the same for the same seed. Users take turns in one fixed order, so that the tasks
 * of a user are as far apart as they can be.
 */
export class TrafficPlan {
  private readonly random: Random;
  private readonly streams = new Map<string, Random>();
  private readonly users: readonly string[];
  /** Repeats by the sequence at which they are due. */
  private readonly repeats = new Map<number, PlannedRequest>();
  private sequence = 0;
  private tasks = 0;

  constructor(
    private readonly traffic: Traffic,
    private readonly seed: number,
    private readonly options: PlanOptions = {},
  ) {
    this.random = seededRandom(`traffic/${seed}`);
    const digits = String(traffic.users).length;
    const names = Array.from({ length: traffic.users }, (_, n) => `user-${String(n + 1).padStart(digits, '0')}`);
    this.users = shuffled(names, this.random);
  }

  /** Tasks planned so far; repeats are not counted. */
  get planned(): number {
    return this.tasks;
  }

  next(): PlannedRequest {
    const sequence = this.sequence;
    this.sequence += 1;
    const repeat = this.repeats.get(sequence);
    if (repeat !== undefined) {
      this.repeats.delete(sequence);
      return { ...repeat, sequence, repeats: repeat.sequence };
    }
    return this.task(sequence);
  }

  private task(sequence: number): PlannedRequest {
    const { traffic, random } = this;
    const task = this.tasks;
    this.tasks += 1;
    const user = this.users[task % this.users.length] ?? 'user-1';
    const input = traffic.inputs[Math.floor(random() * traffic.inputs.length)] ?? null;
    const priority = pickPriority(traffic, random);
    const session =
      traffic.sessionsPerUser === undefined ? undefined : `${user}/${Math.floor(random() * traffic.sessionsPerUser)}`;
    const repeated = random() < (traffic.duplicateShare ?? 0);
    const cancelAfterMs = this.drawFrom('cancels') < (traffic.cancelShare ?? 0) ? this.cancelAfter() : undefined;
    const timeoutSeconds = this.timeoutSeconds();
    const planned: PlannedRequest = {
      sequence,
      user,
      cancelAfterMs,
      body: {
        input: fill(input as Json, { user, task: String(task + 1) }) as SubmitRequest['input'],
        user,
        session,
        priority,
        timeoutSeconds,
        ...this.webhook(),
      },
      ...(repeated || this.options.repeatable === true ? { idempotencyKey: `${this.seed}-${sequence}` } : {}),
    };
    if (repeated) {
      const distance = REPEAT_DISTANCE[Math.floor(random() * REPEAT_DISTANCE.length)] ?? 1;
      let due = sequence + distance;
      while (this.repeats.has(due)) {
        due += 1;
      }
      this.repeats.set(due, planned);
    }
    return planned;
  }

  private cancelAfter(): number {
    return this.drawFrom('cancels') * CANCEL_WITHIN_MS;
  }

  private webhook(): Pick<SubmitRequest, 'webhook'> {
    const url = this.options.webhookUrl;
    return url !== undefined && this.drawFrom('webhooks') < (this.traffic.webhookShare ?? 0)
      ? { webhook: { url } }
      : {};
  }

  private timeoutSeconds(): number | undefined {
    const { deadlines } = this.traffic;
    if (deadlines === undefined || this.drawFrom('deadlines') >= deadlines.share) {
      return undefined;
    }
    const { min, max } = deadlines.seconds;
    return min + Math.floor(this.drawFrom('deadlines') * (Math.max(min, max) - min + 1));
  }

  /** Draws of what came later: apart, so that the requests of a seed stay what they were without it. */
  private drawFrom(stream: string): number {
    const random = this.streams.get(stream) ?? seededRandom(`traffic/${this.seed}/${stream}`);
    this.streams.set(stream, random);
    return random();
  }
}

function pickPriority(traffic: Traffic, random: Random): Priority | undefined {
  const weights = traffic.priorityWeights;
  if (weights === undefined) {
    return undefined;
  }
  const total = PRIORITIES.reduce((sum, priority) => sum + (weights[priority] ?? 0), 0);
  let chance = random() * total;
  for (const priority of PRIORITIES) {
    chance -= weights[priority] ?? 0;
    if (chance < 0) {
      return priority;
    }
  }
  return undefined;
}

/** Replaces {{user}} and {{task}} in every string of the input. */
function fill(value: Json, values: Readonly<Record<string, string>>): Json {
  if (typeof value === 'string') {
    return value.replace(/\{\{(\w+)\}\}/g, (whole, name: string) => values[name] ?? whole);
  }
  if (Array.isArray(value)) {
    return value.map((item) => fill(item, values));
  }
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, fill(member ?? null, values)]));
  }
  return value;
}
