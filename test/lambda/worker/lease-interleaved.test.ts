import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { type DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb';
import fc from 'fast-check';
import { NO_USAGE } from '../../../lambda/runtime/limits/usage';
import { documentClient } from '../../../lambda/shared/aws/clients/dynamodb';
import {
  type Claim,
  type Lease,
  type LeasedWrite,
  type Renewal,
  TaskLeases,
} from '../../../lambda/shared/tasks/task-leases';
import { LEASE_MS, TaskKey, type TaskRecord, taskRecordSchema } from '../../../lib/contract';
import { RELEASE, TASKS, TaskCloud } from './support/task-cloud';
import { undelayedRetries } from './support/undelayed';

const START = 1_800_000_000_000;
const WORKERS = 3;
const RAN_MS = 10;

let cloud: TaskCloud;

beforeAll(async () => {
  cloud = await TaskCloud.start();
});

afterAll(() => cloud.close());

type Act = 'claim' | 'renew' | 'finish' | 'requeue';
type Outcome = Claim | Renewal | LeasedWrite;

/**
 * What a worker's call comes to when the gate opens. `late`: its client waits no longer for it, and it arrives some time
 * later all the same.
 */
type Fate = 'answered' | 'lost' | 'late';

/** Who makes a call, under which lease and since when: as it was when the call was made. */
interface Caller {
  readonly act: Act | undefined;
  readonly token: string | undefined;
  readonly attempt: number | undefined;
  readonly since: number;
}

/** A call of one worker in progress: it stops before it arrives, and before its answer does. */
interface Gate {
  readonly open: (fate: Fate) => void;
}

/**
 * A worker whose calls of DynamoDB stop at two gates each: before they are carried out, and before it hears of it. Whatever
 * the SDK does between them, repetitions and the read after a refusal, goes through the same gates.
 */
class SteppedWorker {
  readonly store: TaskLeases;
  readonly clock = { now: () => this.#time.now, sleep: () => Promise.reject(new Error('the store does not wait')) };
  lease: Lease | undefined;
  /** What it does at the moment. */
  act: Act | undefined;
  /** When it began that. */
  since = 0;
  #gate: Gate | undefined;
  #doing: Promise<Outcome> | undefined;
  #stopped = () => {};
  readonly #documents: DynamoDBDocumentClient;

  readonly #taskId: string;
  readonly #time: { now: number };
  /** Carries calls out. */
  readonly #arrive: <T>(by: Caller, call: () => Promise<T>) => Promise<T>;
  /** Calls that will arrive late. */
  readonly #late: (() => Promise<unknown>)[];

  constructor(
    taskId: string,
    time: { now: number },
    /** Carries calls out. */
    arrive: <T>(by: Caller, call: () => Promise<T>) => Promise<T>,
    /** Calls that will arrive late. */
    late: (() => Promise<unknown>)[],
  ) {
    this.#taskId = taskId;
    this.#time = time;
    this.#arrive = arrive;
    this.#late = late;
    const client = new DynamoDBClient({
      endpoint: cloud.wire.endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      ...undelayedRetries(),
    });
    this.#documents = documentClient(client);
    // After the step that repeats calls: each of their tries comes through here.
    this.#documents.middlewareStack.add(
      (next) => async (args) => {
        const by = { act: this.act, token: this.lease?.token, attempt: this.lease?.attempt, since: this.since };
        const gone = Object.assign(new Error('socket hang up'), { name: 'TimeoutError', code: 'ECONNRESET' });
        const call = () => this.#arrive(by, () => next(args));
        if ((await this.#standStill()) === 'late') {
          this.#late.push(call);
          throw gone;
        }
        const result = await call().catch((error: unknown) => ({ error }));
        if ((await this.#standStill()) !== 'answered') {
          throw gone;
        }
        if ('error' in result) {
          throw result.error;
        }
        return result;
      },
      { step: 'finalizeRequest', priority: 'low', name: 'gates' },
    );
    this.store = new TaskLeases({
      client: this.#documents,
      table: TASKS,
      release: RELEASE,
      retentionDays: 1,
      leaseMs: LEASE_MS,
      clock: this.clock,
    });
  }

  get isBusy(): boolean {
    return this.act !== undefined;
  }

  /** Begins an act, and gets as far as the first gate. */
  async begin(act: Act): Promise<void> {
    this.act = act;
    // No two acts begin at the same moment.
    this.#time.now += 1;
    this.since = this.#time.now;
    await this.#until(() => {
      this.#doing = this.#perform(act);
    });
  }

  /** Lets the worker continue to its next gate. @returns what the act came to, if it came to its end */
  async goOn(fate: Fate): Promise<Outcome | 'failed' | undefined> {
    await this.#until(() => this.#gate?.open(fate));
    if (this.#gate !== undefined) {
      return undefined;
    }
    this.act = undefined;
    return await (this.#doing as Promise<Outcome>).catch(() => 'failed' as const);
  }

  close(): void {
    this.#documents.destroy();
  }

  #perform(act: Act): Promise<Outcome> {
    const { store } = this;
    const taskId = this.#taskId;
    if (act === 'claim' || this.lease === undefined) {
      return store.claim(taskId, 'stable', undefined);
    }
    switch (act) {
      case 'renew':
        return store.renew(this.lease);
      case 'finish':
        return store.finish(this.lease, {
          status: 'succeeded',
          usage: NO_USAGE,
          ranMs: RAN_MS,
          result: this.lease.token,
        });
      case 'requeue':
        return store.requeue(this.lease, { usage: NO_USAGE, ranMs: RAN_MS });
    }
  }

  /** Does what lets the worker move, and waits until it stands still again or has ended its act. */
  async #until(move: () => void): Promise<void> {
    const still = new Promise<void>((resolve) => {
      this.#stopped = resolve;
    });
    move();
    await Promise.race([still, this.#doing?.catch(() => undefined)]);
  }

  #standStill(): Promise<Fate> {
    return new Promise((resolve) => {
      this.#gate = {
        open: (fate) => {
          this.#gate = undefined;
          resolve(fate);
        },
      };
      this.#stopped();
    });
  }
}

/** What the record says that matters to who may do what. */
interface Held {
  readonly status: TaskRecord['status'];
  readonly token: string | undefined;
  readonly leaseEnds: number;
  readonly attempts: number;
  readonly ranMs: number;
  readonly endedBy: string | undefined;
}

function heldIn(record: TaskRecord): Held {
  const { status, lease, attempts, ranMs = 0, endedBy } = record;
  return { status, token: lease?.token, leaseEnds: lease?.expiresAt ?? 0, attempts, ranMs, endedBy };
}

/** The specification: what one carried-out call may make of a task, and nothing else. */
function problemOf(before: Held, after: Held, { act, token: own, since }: Caller): string | undefined {
  if (JSON.stringify(before) === JSON.stringify(after)) {
    return undefined;
  }
  const change = `${act}: ${JSON.stringify(before)} became ${JSON.stringify(after)}`;
  switch (act) {
    case 'claim': {
      const free = before.status === 'queued' || (before.status === 'running' && before.leaseEnds < since);
      const taken = after.status === 'running' && after.attempts === before.attempts + 1;
      return free && taken && after.leaseEnds === since + LEASE_MS ? undefined : change;
    }
    case 'renew':
      // Never for shorter: its worker goes by the longest that it was told of.
      return before.status === 'running' &&
        before.token === own &&
        after.token === own &&
        after.status === 'running' &&
        after.leaseEnds > before.leaseEnds
        ? undefined
        : change;
    case 'finish':
      return before.status === 'running' && before.token === own && after.endedBy === own ? undefined : change;
    case 'requeue':
      return before.status === 'running' && before.token === own && after.status === 'queued' ? undefined : change;
    default:
      return `no worker did anything: ${change}`;
  }
}

/** The task with its workers; the record is looked at before and after each call. */
class Task {
  readonly time = { now: START };
  readonly workers: readonly SteppedWorker[];
  readonly violations: string[] = [];
  /** When a worker was last seen to have a lease. */
  heldAt = 0;
  /** Attempts whose end or return was carried out: each adds its running time once. */
  readonly #counted = new Set<number>();
  /** Calls whose clients wait no longer for them. */
  readonly late: (() => Promise<unknown>)[] = [];

  constructor(readonly id: string) {
    this.workers = Array.from(
      { length: WORKERS },
      () => new SteppedWorker(id, this.time, (by, call) => this.#arrive(by, call), this.late),
    );
  }

  async #arrive<T>(by: Caller, call: () => Promise<T>): Promise<T> {
    const before = heldIn(await this.record());
    try {
      return await call();
    } finally {
      const after = heldIn(await this.record());
      if (before.token !== undefined || after.token !== undefined) {
        this.heldAt = this.time.now;
      }
      const problem = problemOf(before, after, by);
      if (problem !== undefined) {
        this.violations.push(problem);
      }
      if (after.ranMs !== before.ranMs) {
        this.#count(before, after, by);
      }
    }
  }

  async record(): Promise<TaskRecord> {
    const { Item } = await cloud.documents.send(
      new GetCommand({ TableName: TASKS, Key: TaskKey.task(this.id), ConsistentRead: true }),
    );
    return taskRecordSchema.parse(Item);
  }

  #count({ attempts, ranMs }: Held, after: Held, { token, attempt }: Caller): void {
    if (after.ranMs !== ranMs + RAN_MS || attempt !== attempts || this.#counted.has(attempts)) {
      this.violations.push(`${token} added its running time to attempt ${attempts}: ${ranMs}, then ${after.ranMs}`);
    }
    this.#counted.add(attempts);
  }
}

/** What the commands know without asking: which workers are busy, and which ever had a lease. */
interface Model {
  readonly busy: boolean[];
  readonly leased: boolean[];
  /** How often what happened to calls, over all runs. */
  readonly fates: Record<Fate, number>;
}

function newModel(fates: Model['fates'] = { answered: 0, lost: 0, late: 0 }): Model {
  const none = () => Array.from({ length: WORKERS }, () => false);
  return { busy: none(), leased: none(), fates };
}

type Command = fc.AsyncCommand<Model, Task>;

/** Judges what a worker was told of its own act by what the record says. */
async function judge(task: Task, by: SteppedWorker, act: Act, outcome: Outcome | 'failed'): Promise<boolean> {
  const record = await task.record();
  if (outcome === 'failed') {
    return by.lease !== undefined;
  }
  switch (outcome.kind) {
    case 'claimed':
      by.lease = outcome.lease;
      break;
    case 'renewed':
      by.lease = outcome.lease;
      break;
    case 'written':
      // An end that was written stands. A task that went back may be another's by now.
      expect(act === 'finish' ? record.endedBy : by.lease?.token).toBe(by.lease?.token);
      break;
    case 'lost':
      // Never of an end that was written: its caller must hear of it.
      if (act === 'finish') {
        expect(record.endedBy).not.toBe(by.lease?.token);
      }
      break;
    case 'held':
      // When the call arrived, that is: the holder may be done by now.
      expect(task.heldAt).toBeGreaterThanOrEqual(by.since);
      break;
    case 'final':
      expect(record.status).toBe('succeeded');
      break;
    default:
      throw new Error(`${act} came to ${outcome.kind}`);
  }
  return by.lease !== undefined;
}

/** How a worker gets through its gates. `with its second try`: its first one is late. */
type Course = 'step by step' | 'at once' | 'with its second try';

/** Of those that may, the n-th. */
function nth(may: readonly boolean[], n: number): number {
  const all = may.flatMap((yes, index) => (yes ? [index] : []));
  return all[n % all.length] as number;
}

/** Of the workers that do nothing, one begins something: only to claim needs no lease. */
class Begin implements Command {
  readonly #which: number;
  readonly #act: Act;
  readonly #how: Course;

  constructor(which: number, act: Act, how: Course) {
    this.#which = which;
    this.#act = act;
    this.#how = how;
  }

  check(model: Readonly<Model>): boolean {
    return this.#mayBegin(model).includes(true);
  }

  async run(model: Model, task: Task): Promise<void> {
    const index = nth(this.#mayBegin(model), this.#which);
    const worker = task.workers[index] as SteppedWorker;
    await worker.begin(this.#act);
    model.busy[index] = true;
    if (this.#how === 'with its second try') {
      model.fates.late += 1;
      await goOnWith(model, task, index, 'late');
    }
    while (this.#how !== 'step by step' && model.busy[index] === true) {
      await goOnWith(model, task, index, 'answered');
    }
  }

  #mayBegin({ busy, leased }: Readonly<Model>): boolean[] {
    return busy.map((isBusy, index) => !isBusy && (this.#act === 'claim' || leased[index] === true));
  }

  toString = () => `${this.#which} begins to ${this.#act}, ${this.#how}`;
}

async function goOnWith(model: Model, task: Task, index: number, fate: Fate): Promise<void> {
  const worker = task.workers[index] as SteppedWorker;
  const act = worker.act as Act;
  const outcome = await worker.goOn(fate);
  expect(task.violations).toEqual([]);
  if (outcome !== undefined) {
    model.busy[index] = false;
    model.leased[index] = await judge(task, worker, act, outcome);
  }
}

/** Of the workers that are at something, one gets to its next gate. */
class GoOn implements Command {
  readonly #which: number;
  readonly #fate: Fate;

  constructor(which: number, fate: Fate) {
    this.#which = which;
    this.#fate = fate;
  }

  check({ busy }: Readonly<Model>): boolean {
    return busy.includes(true);
  }

  async run(model: Model, task: Task): Promise<void> {
    model.fates[this.#fate] += 1;
    await goOnWith(model, task, nth(model.busy, this.#which), this.#fate);
  }

  toString = () => `${this.#which} continues, ${this.#fate}`;
}

/** One of the calls that are late arrives. */
class Arrive implements Command {
  readonly #which: number;

  constructor(which: number) {
    this.#which = which;
  }
  check = () => true;

  async run(_: Model, { late, violations }: Task): Promise<void> {
    const [call] = late.splice(this.#which % Math.max(1, late.length), 1);
    await call?.().catch(() => undefined);
    expect(violations).toEqual([]);
  }

  toString = () => `late call ${this.#which} arrives`;
}

class Wait implements Command {
  readonly #ms: number;

  constructor(ms: number) {
    this.#ms = ms;
  }
  check = () => true;

  async run(_: Model, task: Task): Promise<void> {
    task.time.now += this.#ms;
  }

  toString = () => `${this.#ms} ms pass`;
}

const which = fc.nat(WORKERS - 1);
// An end is the end of it all: it is to come late.
const act = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Act>('claim') },
  { weight: 10, arbitrary: fc.constant<Act>('renew') },
  { weight: 3, arbitrary: fc.constant<Act>('requeue') },
  { weight: 1, arbitrary: fc.constant<Act>('finish') },
);
const fate = fc.constantFrom<Fate>('answered', 'answered', 'lost', 'late');
const course = fc.constantFrom<Course>('step by step', 'step by step', 'at once', 'with its second try');
const begin = fc.tuple(which, act, course).map((given): Command => new Begin(...given));
const goOn = fc.tuple(which, fate).map((given): Command => new GoOn(...given));
const commands = [
  begin,
  begin,
  goOn,
  goOn,
  fc.nat(3).map((n): Command => new Arrive(n)),
  fc.constantFrom(40_000, LEASE_MS + 1).map((ms): Command => new Wait(ms)),
];

/** All calls in progress come to their end, and a delivery after the last lease has run out ends the task. */
async function comeToAnEnd(task: Task): Promise<void> {
  for (const one of task.workers) {
    while (one.isBusy) {
      const doing = one.act as Act;
      const outcome = await one.goOn('answered');
      if (outcome !== undefined) {
        await judge(task, one, doing, outcome);
      }
    }
  }
  task.time.now += LEASE_MS + 1;
  const [last] = task.workers as readonly [SteppedWorker];
  for (const next of ['claim', 'finish'] as const) {
    await last.begin(next);
    let outcome: Outcome | 'failed' | undefined;
    while (outcome === undefined) {
      outcome = await last.goOn('answered');
    }
    await judge(task, last, next, outcome);
  }
  expect(task.violations).toEqual([]);
  expect(await task.record()).toMatchObject({ status: 'succeeded', endedBy: expect.any(String) });
}

test('however the calls of several workers interleave, arrive late, arrive twice or lose their answers: each call does to the task what it may, once, and each worker is told the truth', async () => {
  const fates = { answered: 0, lost: 0, late: 0 };
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: 50, size: 'max' }), async (given) => {
      const { id } = await cloud.putTask({ createdAt: START });
      const task = new Task(id);
      try {
        await fc.asyncModelRun(() => ({ model: newModel(fates), real: task }), given);
        await comeToAnEnd(task);
      } finally {
        for (const one of task.workers) {
          one.close();
        }
      }
    }),
    { numRuns: 40 },
  );
  // The property is about something.
  expect(fates.lost).toBeGreaterThan(20);
  expect(fates.late).toBeGreaterThan(20);
}, 180_000);

test('a renewal that arrives after a later one does not shorten the lease', async () => {
  const { id } = await cloud.putTask({ createdAt: START });
  const task = new Task(id);
  const [holder] = task.workers as readonly [SteppedWorker];
  const model = newModel();
  await new Begin(0, 'claim', 'at once').run(model, task);
  await new Begin(0, 'renew', 'with its second try').run(model, task);
  await new Begin(0, 'renew', 'at once').run(model, task);
  expect(task.late).toHaveLength(1);
  await new Arrive(0).run(model, task);
  expect((await task.record()).lease).toEqual({ token: holder.lease?.token, expiresAt: holder.lease?.expiresAt });
  await comeToAnEnd(task);
});

test('a claim that arrives once more when its worker is done gives no worker a lease to write under, and runs out', async () => {
  const { id } = await cloud.putTask({ createdAt: START });
  const task = new Task(id);
  const model = newModel();
  await new Begin(0, 'claim', 'with its second try').run(model, task);
  await new Begin(0, 'requeue', 'with its second try').run(model, task);
  expect(task.late).toHaveLength(2);
  await new Arrive(0).run(model, task);
  const claimed = await task.record();
  expect(claimed).toMatchObject({ status: 'running', attempts: 2 });
  await new Arrive(0).run(model, task);
  expect(await task.record()).toEqual(claimed);
  await comeToAnEnd(task);
});
