import * as z from 'zod';
import { type AgentContext, defineAgent } from '../../../../lambda/runtime';
import { createHandler } from '../../../../lambda/worker';
import { Env, type TaskRecord } from '../../../../lib/contract';
import { Output } from './output';
import { context, type MessageOptions, messageFor, TaskCloud } from './task-cloud';

const anything = z.json();

export type Run = (ctx: AgentContext, input: z.infer<typeof anything>) => unknown;

export interface WorkOptions extends MessageOptions {
  readonly task?: Partial<TaskRecord>;
  readonly remainingMs?: number;
  /** Of the worker's environment. */
  readonly settings?: Record<string, string | undefined>;
}

/** A cloud and workers in it, one for each delivery as on Lambda; for the tests of one file. */
export class Bench {
  readonly #environment = process.env;
  #cloud: TaskCloud | undefined;
  #output: Output | undefined;

  constructor() {
    beforeAll(async () => {
      this.#cloud = await TaskCloud.start();
    });
    afterAll(() => this.#cloud?.close());
    beforeEach(() => {
      this.cloud.reset();
      process.env = { ...this.#environment, ...this.cloud.environment() };
      this.#output = new Output();
    });
    afterEach(() => {
      this.#output?.restore();
      process.env = this.#environment;
    });
  }

  get cloud(): TaskCloud {
    if (this.#cloud === undefined) {
      throw new Error('the cloud is not up yet');
    }
    return this.#cloud;
  }

  get output(): Output {
    if (this.#output === undefined) {
      throw new Error('no test runs');
    }
    return this.#output;
  }

  /** Speeds up the cloud's time by this factor. With more than 30 a lease takes less than three seconds. */
  fast(speed: number): void {
    const now = Date.now();
    process.env[Env.CLOCK] = JSON.stringify({ realEpochMs: now, cloudEpochMs: now, speed });
  }

  /** Delivers the message of a new task to a worker of its own. */
  async work(run: Run, options: WorkOptions = {}) {
    return this.deliver(await this.cloud.putTask(options.task), run, options);
  }

  /** Delivers a message of the task to a worker of its own; gives the record afterwards. */
  async deliver(task: TaskRecord, run: Run, options: WorkOptions = {}) {
    Object.assign(process.env, options.settings);
    const agent = defineAgent({ input: anything, run: async ({ input }, ctx) => run(ctx, input) });
    const { batchItemFailures } = await createHandler(agent)(
      { Records: [messageFor(task, options)] },
      context(options.remainingMs ?? 60_000),
    );
    return { record: await this.cloud.task(task.id), deleted: batchItemFailures.length === 0 };
  }

  /** Values of a metric that was emitted, one for each time. */
  metric(name: string): unknown[] {
    return this.output.metrics().flatMap((line) => (name in line ? [line[name]] : []));
  }
}

/** Ends when the signal aborts, with its reason, or after the given real milliseconds. */
export function until(signal: AbortSignal, milliseconds: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
