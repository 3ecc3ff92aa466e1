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

/** Maximum real milliseconds until a caller cancels: the task then waits, runs or has ended. */
const MAX_CANCEL_DELAY_MS = 1_500;

/** Number of requests between a request and its repeat: the task still waits at a short distance, and is final at a long one. */
const REPEAT_DISTANCE = [1, 5, 50] as const;

export interface TrafficPlanOptions {
  /** Whether every request gets an idempotency key, so that its caller may retry it. @default only repeated requests do */
  readonly idempotent?: boolean;
  /** URL of the webhook receiver. @default - no request asks for a webhook */
  readonly webhookUrl?: string;
}

/**
 * An endless sequence of requests, the same for the same seed. Users take turns in a fixed order, so that the tasks of a user
 * are evenly spaced.
 */
export class TrafficPlan {
  readonly #random: Random;
  readonly #streams = new Map<string, Random>();
  readonly #users: readonly string[];
  /** Sequence at which a repeat is due → the request to repeat. */
  readonly #repeats = new Map<number, PlannedRequest>();
  #sequence = 0;
  #tasks = 0;

  readonly #traffic: Traffic;
  readonly #seed: number;
  readonly #options: TrafficPlanOptions;

  constructor(traffic: Traffic, seed: number, options: TrafficPlanOptions = {}) {
    this.#traffic = traffic;
    this.#seed = seed;
    this.#options = options;
    this.#random = seededRandom(`traffic/${seed}`);
    const digits = String(traffic.users).length;
    const names = Array.from({ length: traffic.users }, (_, n) => `user-${String(n + 1).padStart(digits, '0')}`);
    this.#users = shuffled(names, this.#random);
  }

  /** Number of tasks planned so far, without repeats. */
  get plannedTasks(): number {
    return this.#tasks;
  }

  next(): PlannedRequest {
    const sequence = this.#sequence;
    this.#sequence += 1;
    const repeat = this.#repeats.get(sequence);
    if (repeat !== undefined) {
      this.#repeats.delete(sequence);
      return { ...repeat, sequence, repeats: repeat.sequence };
    }
    return this.#task(sequence);
  }

  #task(sequence: number): PlannedRequest {
    const traffic = this.#traffic;
    const random = this.#random;
    const task = this.#tasks;
    this.#tasks += 1;
    const user = this.#users[task % this.#users.length] ?? 'user-1';
    const input = traffic.inputs[Math.floor(random() * traffic.inputs.length)] ?? null;
    const priority = pickPriority(traffic, random);
    const session =
      traffic.sessionsPerUser === undefined ? undefined : `${user}/${Math.floor(random() * traffic.sessionsPerUser)}`;
    const repeated = random() < (traffic.duplicateShare ?? 0);
    const cancelAfterMs = this.#randomFrom('cancels') < (traffic.cancelShare ?? 0) ? this.#cancelAfter() : undefined;
    const timeoutSeconds = this.#timeoutSeconds();
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
        ...this.#webhook(),
      },
      ...(repeated || this.#options.idempotent === true ? { idempotencyKey: `${this.#seed}-${sequence}` } : {}),
    };
    if (repeated) {
      const distance = REPEAT_DISTANCE[Math.floor(random() * REPEAT_DISTANCE.length)] ?? 1;
      let due = sequence + distance;
      while (this.#repeats.has(due)) {
        due += 1;
      }
      this.#repeats.set(due, planned);
    }
    return planned;
  }

  #cancelAfter(): number {
    return this.#randomFrom('cancels') * MAX_CANCEL_DELAY_MS;
  }

  #webhook(): Pick<SubmitRequest, 'webhook'> {
    const url = this.#options.webhookUrl;
    return url !== undefined && this.#randomFrom('webhooks') < (this.#traffic.webhookShare ?? 0)
      ? { webhook: { url } }
      : {};
  }

  #timeoutSeconds(): number | undefined {
    const { deadlines } = this.#traffic;
    if (deadlines === undefined || this.#randomFrom('deadlines') >= deadlines.share) {
      return undefined;
    }
    const { min, max } = deadlines.seconds;
    return min + Math.floor(this.#randomFrom('deadlines') * (Math.max(min, max) - min + 1));
  }

  /** Random numbers of an optional feature come from a stream of their own: enabling it does not change the other requests. */
  #randomFrom(stream: string): number {
    const random = this.#streams.get(stream) ?? seededRandom(`traffic/${this.#seed}/${stream}`);
    this.#streams.set(stream, random);
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
