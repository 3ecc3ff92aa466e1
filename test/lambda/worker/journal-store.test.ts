import fc from 'fast-check';
import { JOURNAL_KINDS, type JournalEntry } from '../../../lib/contract';
import { Attempts, newTaskId } from './support/attempts';
import { MemoryJournal } from './support/memory-journal';
import { RELEASE } from './support/task-cloud';

let attempts: Attempts;

beforeAll(async () => {
  attempts = await Attempts.start();
});

afterAll(() => attempts.close());

const entryOf = (key: string, attempt: number, state: JournalEntry['state']): JournalEntry => ({
  key,
  kind: 'step',
  name: key.slice('step:'.length),
  state,
  attempt,
  token: `token-${attempt}`,
  release: RELEASE,
  order: 0,
  at: 1,
  expiresAt: 4_000_000_000,
  ...(state === 'finished' ? { json: `"${attempt}"` } : {}),
});

const writes = fc.array(
  fc.record({
    key: fc.constantFrom('step:a', 'step:b', 'step:a#b/ü'),
    attempt: fc.integer({ min: 1, max: 4 }),
    state: fc.constantFrom('started' as const, 'finished' as const),
  }),
  { maxLength: 12 },
);

test('the table takes and refuses what the model of a journal does, and holds the same in the end', async () => {
  await fc.assert(
    fc.asyncProperty(writes, async (all) => {
      const taskId = newTaskId();
      const table = attempts.store();
      const model = new MemoryJournal();
      for (const { key, attempt, state } of all) {
        const entry = entryOf(key, attempt, state);
        expect(await table.record(taskId, entry)).toEqual(await model.record(taskId, entry));
      }
      const sorted = (entries: readonly JournalEntry[]) => [...entries].sort((a, b) => (a.key < b.key ? -1 : 1));
      expect(sorted(await table.load(taskId))).toEqual(sorted(await model.load(taskId)));
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
  await attempts.store().record(taskId, whole);
  expect(await attempts.store().load(taskId)).toEqual([whole]);
});

test("a task's journal holds no other task's entries", async () => {
  const [one, two] = [newTaskId(), newTaskId()];
  await attempts.store().record(one, entryOf('step:a', 1, 'finished'));
  expect(await attempts.store().load(two)).toEqual([]);
});
