import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import fc from 'fast-check';
import { JournalStore } from '../../../../lambda/runtime/journal/journal-store';
import { documentClient } from '../../../../lambda/shared/aws/clients/dynamodb';
import { systemClock } from '../../../../lambda/shared/clock';
import { JOURNAL_KINDS, type JournalEntry } from '../../../../lib/contract';
import { type LocalDynamoDb, startDynamoDb } from '../../../support/local-dynamodb';
import { newTaskId } from '../../worker/support/attempts';
import { entryOf } from '../../worker/support/journal-entry';
import { MemoryJournal } from '../../worker/support/memory-journal';
import { Wire } from '../../worker/support/scripted-network';
import { TASKS } from '../../worker/support/task-cloud';
import { undelayedRetries } from '../../worker/support/undelayed';

let dynamodb: LocalDynamoDb;
let wire: Wire;
let documents: DynamoDBDocumentClient;
let store: JournalStore;

beforeAll(async () => {
  dynamodb = await startDynamoDb([TASKS]);
  wire = await Wire.to(dynamodb.endpoint);
  documents = documentClient(
    new DynamoDBClient({
      endpoint: wire.endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      ...undelayedRetries(),
    }),
  );
  store = new JournalStore(documents, TASKS, systemClock({}));
});

afterAll(async () => {
  documents.destroy();
  await wire.close();
  await dynamodb.close();
});

/** The next write arrives, but its answer gets lost: the SDK repeats it. */
function loseNextAnswer(): void {
  wire.fault = ({ operation }) => {
    if (operation !== 'PutItem') {
      return undefined;
    }
    wire.fault = () => undefined;
    return 'lose';
  };
}

/** What happens to a write: `lost`: it arrives, its answer does not, and the SDK writes again. */
type Fate = 'answered' | 'lost' | 'late';

/** A task's journal in the table, and the writes that are still on their way to it. */
interface Table {
  readonly taskId: string;
  readonly store: JournalStore;
  readonly late: JournalEntry[];
}

type Command = fc.AsyncCommand<MemoryJournal, Table>;

/** Some attempt writes an entry. */
class Write implements Command {
  readonly #key: string;
  readonly #attempt: number;
  readonly #state: JournalEntry['state'];
  readonly #fate: Fate;

  constructor(key: string, attempt: number, state: JournalEntry['state'], fate: Fate) {
    this.#key = key;
    this.#attempt = attempt;
    this.#state = state;
    this.#fate = fate;
  }

  check = () => true;

  async run(model: MemoryJournal, { taskId, store, late }: Table): Promise<void> {
    const entry = entryOf(this.#key, this.#attempt, this.#state);
    if (this.#fate === 'late') {
      late.push(entry);
      return;
    }
    if (this.#fate === 'lost') {
      model.put(taskId, entry);
      loseNextAnswer();
    }
    expect(await store.record(taskId, entry)).toEqual(await model.record(taskId, entry));
  }

  toString = () => `${this.#attempt} writes ${this.#key} ${this.#state}, ${this.#fate}`;
}

/** A write arrives that its attempt abandoned long ago. */
class Arrive implements Command {
  readonly #which: number;

  constructor(which: number) {
    this.#which = which;
  }

  check = () => true;

  async run(model: MemoryJournal, { taskId, store, late }: Table): Promise<void> {
    const [entry] = late.splice(this.#which % Math.max(1, late.length), 1);
    if (entry !== undefined) {
      const before = model.get(taskId, entry.key);
      await store.record(taskId, entry);
      await model.record(taskId, entry);
      const after = (await store.load(taskId)).find(({ key }) => key === entry.key);
      expect(after).toEqual(model.get(taskId, entry.key));
      expect(before?.state === 'finished' ? after : before).toEqual(before);
      expect(after?.attempt).toBeGreaterThanOrEqual(before?.attempt ?? 0);
    }
  }

  toString = () => `late write ${this.#which} arrives`;
}

/** What the journal gives to an attempt that begins is what the model holds. */
class Load implements Command {
  check = () => true;

  async run(model: MemoryJournal, { taskId, store }: Table): Promise<void> {
    const sorted = (entries: readonly JournalEntry[]) => [...entries].sort((a, b) => (a.key < b.key ? -1 : 1));
    expect(sorted(await store.load(taskId))).toEqual(sorted(await model.load(taskId)));
  }

  toString = () => 'an attempt begins';
}

test('the table takes and refuses what the model of a journal does, whatever gets lost or comes late, and holds the same at any time', async () => {
  const write = fc
    .record({
      key: fc.constantFrom('step:a', 'step:b', 'step:a#b/ü'),
      attempt: fc.integer({ min: 1, max: 4 }),
      state: fc.constantFrom('started' as const, 'finished' as const),
      fate: fc.constantFrom<Fate>('answered', 'answered', 'lost', 'late'),
    })
    .map(({ key, attempt, state, fate }): Command => new Write(key, attempt, state, fate));
  const commands = [write, write, fc.nat(3).map((n): Command => new Arrive(n)), fc.constant<Command>(new Load())];
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: 25, size: 'max' }), async (given) => {
      const table = { taskId: newTaskId(), store, late: [] };
      await fc.asyncModelRun(() => ({ model: new MemoryJournal(), real: table }), given);
      expect(wire.fault({ operation: 'PutItem', body: '' })).toBeUndefined();
    }),
    { numRuns: 60 },
  );
});

test('an entry comes back as it was written, with everything that it may hold', async () => {
  const taskId = newTaskId();
  const whole: JournalEntry = {
    ...entryOf('step:whole', 3, 'finished'),
    kind: JOURNAL_KINDS[2],
    parent: 'step:outer',
    inputDigest: 'f'.repeat(64),
    json: '{"b":1,"a":[null,"\\ud800"]}',
    ref: { key: 'tasks/t/steps/x.json', bytes: 5, sha256: '0'.repeat(64) },
    usage: { modelCalls: 1, toolCalls: 0, inputTokens: 10, outputTokens: 2, cost: 0.000_012_3 },
  };
  await store.record(taskId, whole);
  expect(await store.load(taskId)).toEqual([whole]);
});

test("a task's journal holds no other task's entries", async () => {
  const [one, two] = [newTaskId(), newTaskId()];
  await store.record(one, entryOf('step:a', 1, 'finished'));
  expect(await store.load(two)).toEqual([]);
});

test('a journal larger than one answer of the table is loaded whole', async () => {
  const taskId = newTaskId();
  const keys = Array.from({ length: 30 }, (_, n) => `step:large${n}`);
  for (const key of keys) {
    await store.record(taskId, { ...entryOf(key, 1, 'finished'), json: JSON.stringify('x'.repeat(40_000)) });
  }
  const loaded = await store.load(taskId);
  expect(loaded.map(({ key }) => key).sort()).toEqual(keys.sort());
});

test('an expired entry has no owner: it is not loaded, and any attempt writes over it', async () => {
  const taskId = newTaskId();
  const lastMinute = Math.floor(Date.now() / 1000) - 60;
  await store.record(taskId, { ...entryOf('step:a', 3, 'finished'), expiresAt: lastMinute });
  expect(await store.load(taskId)).toEqual([]);
  const fresh = entryOf('step:a', 1, 'started');
  expect(await store.record(taskId, fresh)).toEqual({ kind: 'written' });
  expect(await store.load(taskId)).toEqual([fresh]);
});
