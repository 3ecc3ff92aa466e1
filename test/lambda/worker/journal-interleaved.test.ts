import fc from 'fast-check';
import { z } from 'zod';
import { type AgentContext, defineAgent } from '../../../lambda/runtime';
import { LeaseLostError } from '../../../lambda/runtime/errors';
import type { RecordResult } from '../../../lambda/runtime/journal/journal-store';
import { TaskJournal, type TaskJournalDeps } from '../../../lambda/runtime/journal/task-journal';
import { ModelChain } from '../../../lambda/runtime/model/model-chain';
import { SecretReader } from '../../../lambda/runtime/secrets';
import { SessionStore } from '../../../lambda/runtime/sessions';
import { compileToolSchemas } from '../../../lambda/runtime/tools';
import { systemClock } from '../../../lambda/shared/clock';
import { type AttemptOutcome, runAttempt } from '../../../lambda/worker/attempt/run-attempt';
import { digestOf, type JournalEntry, sha256 } from '../../../lib/contract';
import { newTaskId } from './support/attempts';
import { MemoryJournal } from './support/memory-journal';
import { MemoryPayloads } from './support/memory-payloads';
import { AGENT, behaviorDocument, RELEASE } from './support/task-cloud';

/** What an agent does: the same in every attempt. */
type Op =
  | { readonly do: 'step'; readonly name: string }
  | { readonly do: 'tool'; readonly q: number }
  | { readonly do: 'all'; readonly ops: readonly Op[] }
  | { readonly do: 'within'; readonly name: string; readonly ops: readonly Op[] };

interface Fate {
  /** Dies at its n-th act (a call of the store, or work of a step), if it comes so far. */
  readonly diesAt: number | undefined;
  /** Whether it sees at once that a later attempt has begun. One that does not is a zombie. */
  readonly sees: boolean;
}

const { program } = fc.letrec<{ program: Op[]; op: Op }>((tie) => ({
  op: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({ do: fc.constant('step' as const), name: fc.constant('') }),
    fc.record({ do: fc.constant('tool' as const), q: fc.integer({ min: 0, max: 1 }) }),
    fc.record({ do: fc.constant('all' as const), ops: tie('program') }),
    fc.record({ do: fc.constant('within' as const), name: fc.constant(''), ops: tie('program') }),
  ),
  program: fc.array(tie('op'), { minLength: 1, maxLength: 3 }),
}));

/** Gives each step a name of its own. */
function named(ops: readonly Op[], names = { count: 0 }): Op[] {
  return ops.map((op): Op => {
    names.count += 1;
    const name = `s${names.count}`;
    switch (op.do) {
      case 'step':
        return { ...op, name };
      case 'tool':
        return op;
      case 'all':
        return { ...op, ops: named(op.ops, names) };
      default:
        return { ...op, name, ops: named(op.ops, names) };
    }
  });
}

const fate: fc.Arbitrary<Fate> = fc.record({
  diesAt: fc.option(fc.integer({ min: 1, max: 25 }), { nil: undefined }),
  sees: fc.boolean(),
});

const clock = systemClock({});
const behavior = {
  ...behaviorDocument(),
  limits: { ...behaviorDocument().limits, maxToolCalls: 1_000, maxSteps: 1_000, maxDurationMs: 600_000 },
};
const silent = () => {};
const secrets = new SecretReader({}, clock);
const environment = {
  behavior,
  models: new ModelChain({ behavior, secrets, clock }),
  tools: compileToolSchemas({ search: { type: 'object' } }),
  secrets,
  sessions: new SessionStore({
    client: {} as never,
    table: 'none',
    agent: AGENT,
    schema: 1,
    retentionDays: 1,
    clock,
  }),
};

/** One task whose attempts the scheduler interleaves at every act, and what must hold whatever it chooses. */
class Race {
  readonly taskId = newTaskId();
  readonly journal = new MemoryJournal();
  /** Value of an execution → the key that it was for. */
  readonly executed = new Map<number, string>();
  /** Values that agents were given. */
  readonly given = new Set<number>();
  readonly violations: string[] = [];
  #latest = 0;
  #values = 0;
  #writes = 0;
  readonly #dead: (() => void)[] = [];

  readonly #scheduler: fc.Scheduler;
  /** Whether the answer to the n-th write is lost, so that the SDK writes again. */
  readonly #lostAnswers: readonly boolean[];

  constructor(scheduler: fc.Scheduler, lostAnswers: readonly boolean[]) {
    this.#scheduler = scheduler;
    this.#lostAnswers = lostAnswers;
  }

  async run(number: number, ops: readonly Op[], { diesAt, sees }: Fate): Promise<AttemptOutcome | 'dead'> {
    let acts = 0;
    let died = () => {};
    const death = new Promise<'dead'>((resolve) => {
      died = () => resolve('dead');
    });
    const controller = new AbortController();
    const act = async (label: string): Promise<void> => {
      acts += 1;
      if (acts === diesAt) {
        died();
      }
      if (diesAt !== undefined && acts >= diesAt) {
        await new Promise<void>((_, reject) => this.#dead.push(() => reject(new Error('dead'))));
      }
      await this.#scheduler.schedule(Promise.resolve(), `${number}: ${label}`);
    };
    this.#dead.push(() => controller.abort(new LeaseLostError('dead')));
    this.#latest = number;
    const alive = (async () => {
      const journal = await TaskJournal.open({
        store: this.#store(act),
        payloads: new MemoryPayloads(),
        taskId: this.taskId,
        attempt: number,
        token: `token-${number}`,
        release: RELEASE,
        isLeaseHeld: () => !sees || this.#latest === number,
        expiresAt: 4_000_000_000,
        clock,
      });
      const agent = defineAgent({
        input: z.null(),
        run: (_, ctx) => this.#each(ops, ctx, (key) => this.#begin(key, number, sees), act),
      });
      return runAttempt(agent, environment, {
        task: {
          id: this.taskId,
          agent: AGENT,
          release: RELEASE,
          lane: 'stable',
          priority: 'normal',
          mode: 'live',
          user: 'u',
          attempt: number,
          createdAt: 0,
        },
        input: null,
        logger: { debug: silent, info: silent, warn: silent, error: silent },
        remainingMs: 600_000,
        controller,
        journal,
        clock,
      });
    })();
    alive.catch(() => {});
    return Promise.race([alive, death]);
  }

  /** Lets go of what the dead attempts still wait for. */
  moveToDeadLetterQueue(): void {
    for (const letGo of this.#dead) {
      letGo();
    }
  }

  #begin(key: string, number: number, sees: boolean): number {
    const found = this.journal.get(this.taskId, key);
    if (found?.state === 'finished' && (sees || found.attempt <= number)) {
      this.violations.push(`attempt ${number} began ${key}, which attempt ${found.attempt} had finished`);
    }
    this.#values += 1;
    this.executed.set(this.#values, key);
    return this.#values;
  }

  async #each(
    ops: readonly Op[],
    ctx: AgentContext,
    begin: (key: string) => number,
    act: (label: string) => Promise<void>,
  ): Promise<number[]> {
    const values: number[] = [];
    for (const op of ops) {
      values.push(...(await this.#one(op, ctx, begin, act)));
    }
    return values;
  }

  async #one(
    op: Op,
    ctx: AgentContext,
    begin: (key: string) => number,
    act: (label: string) => Promise<void>,
  ): Promise<number[]> {
    const keep = (value: number): number[] => {
      this.given.add(value);
      return [value];
    };
    switch (op.do) {
      case 'step':
        return keep(
          await ctx.step(op.name, async () => {
            const value = begin(`step:${op.name}`);
            await act(`do ${op.name}`);
            return value;
          }),
        );
      case 'tool': {
        const input = { q: op.q };
        const prefix = `tool:search:${digestOf(input).slice(0, 12)}`;
        return keep(
          await ctx.tool('search', input, async (_, { idempotencyKey }) => {
            const value = begin(this.#keyBehind(idempotencyKey, prefix));
            await act(`search ${op.q}`);
            return value;
          }),
        );
      }
      case 'all':
        return (await Promise.all(op.ops.map((each) => this.#one(each, ctx, begin, act)))).flat();
      case 'within':
        return keep(
          await ctx.step(op.name, async () => {
            const value = begin(`step:${op.name}`);
            await this.#each(op.ops, ctx, begin, act);
            return value;
          }),
        );
    }
  }

  #keyBehind(idempotencyKey: string, prefix: string): string {
    for (let number = 1; number < 500; number += 1) {
      if (sha256(`${this.taskId}\n${prefix}#${number}`) === idempotencyKey) {
        return `${prefix}#${number}`;
      }
    }
    throw new Error(`no key of ${prefix} gives ${idempotencyKey}`);
  }

  /** A store that takes its time before and after, loses answers, and reads only after it has refused. */
  #store(act: (label: string) => Promise<void>): TaskJournalDeps['store'] {
    const put = (taskId: string, entry: JournalEntry): boolean => {
      const before = this.journal.get(taskId, entry.key);
      const taken = this.journal.put(taskId, entry);
      const after = this.journal.get(taskId, entry.key);
      if (before?.state === 'finished' && JSON.stringify(after) !== JSON.stringify(before)) {
        this.violations.push(`${entry.key} was finished and then changed`);
      }
      return taken;
    };
    return {
      load: async (taskId) => {
        await act('load');
        return this.journal.load(taskId);
      },
      record: async (taskId, entry): Promise<RecordResult> => {
        await act(`write ${entry.state} ${entry.key}`);
        let taken = put(taskId, entry);
        const lost = this.#lostAnswers[this.#writes % Math.max(1, this.#lostAnswers.length)] === true;
        this.#writes += 1;
        if (lost) {
          await act(`write ${entry.state} ${entry.key} again`);
          taken = put(taskId, entry);
        }
        await act(taken ? 'hear' : `read ${entry.key}`);
        return taken ? { kind: 'written' } : { kind: 'refused', found: this.journal.get(taskId, entry.key) };
      },
    };
  }
}

test('however attempts interleave, die and do not know of each other, each step is finished once and given as it is', async () => {
  let replayed = 0;
  let lost = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      program,
      fc.array(fate, { maxLength: 3 }),
      fc.array(fc.boolean(), { maxLength: 8 }),
      async (scheduler, ops, fates, lostAnswers) => {
        const race = new Race(scheduler, lostAnswers);
        const steps = named(ops);
        const all: Promise<AttemptOutcome | 'dead'>[] = [];
        // The last attempt lives: what it was left by the others must be enough to end the task.
        const last: Fate = { diesAt: undefined, sees: true };
        const started = scheduler.scheduleSequence(
          [...fates, last].map((each, index) => ({
            label: `attempt ${index + 1} begins`,
            builder: async () => {
              all.push(race.run(index + 1, steps, each));
            },
          })),
        );
        await scheduler.waitFor(started.task);
        const outcomes = await scheduler.waitFor(Promise.all(all));
        race.moveToDeadLetterQueue();

        expect(race.violations).toEqual([]);
        expect(outcomes.at(-1)).toMatchObject({ kind: 'succeeded' });
        for (const value of race.given) {
          const key = race.executed.get(value) ?? '';
          expect(race.journal.get(race.taskId, key)).toMatchObject({ state: 'finished', json: String(value) });
        }
        for (const outcome of outcomes) {
          if (outcome !== 'dead') {
            expect(['succeeded', 'lost']).toContain(outcome.kind);
            replayed += outcome.steps.replayed;
            lost += outcome.kind === 'lost' ? 1 : 0;
          }
        }
      },
    ),
    { numRuns: 100 },
  );
  // The property is about something: both happen often.
  expect(replayed).toBeGreaterThan(20);
  expect(lost).toBeGreaterThan(20);
}, 60_000);
