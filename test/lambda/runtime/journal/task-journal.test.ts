import { LeaseLostError } from '../../../../lambda/runtime/errors';
import { type Step, TaskJournal, type TaskJournalDeps } from '../../../../lambda/runtime/journal/task-journal';
import type { JournalEntry } from '../../../../lib/contract';
import { FakeClock } from '../../shared/support/fakes';
import { newTaskId } from '../../worker/support/attempts';
import { entryOf } from '../../worker/support/journal-entry';
import { MemoryJournal } from '../../worker/support/memory-journal';
import { MemoryPayloads } from '../../worker/support/memory-payloads';
import { RELEASE } from '../../worker/support/task-cloud';

const PAY: Step = { key: 'step:pay', kind: 'step', name: 'pay' };

/** The journal of a second attempt, whose lease holds until the test says otherwise. */
async function secondAttempt() {
  const taskId = newTaskId();
  const entries = new MemoryJournal();
  const lease = { held: true };
  const store: TaskJournalDeps['store'] & { onRecord: () => void } = {
    onRecord: () => {},
    load: (id) => entries.load(id),
    record: async (id, entry) => {
      const recorded = await entries.record(id, entry);
      store.onRecord();
      return recorded;
    },
  };
  const journal = await TaskJournal.open({
    store,
    payloads: new MemoryPayloads(),
    taskId,
    attempt: 2,
    token: 'token-2',
    release: RELEASE,
    isLeaseHeld: () => lease.held,
    expiresAt: 4_000_000_000,
    clock: new FakeClock(),
  });
  const put = (attempt: number, state: JournalEntry['state']) => entries.put(taskId, entryOf(PAY.key, attempt, state));
  return { journal, lease, store, put, entry: () => entries.get(taskId, PAY.key) };
}

test('refuses to begin a step when the lease ran out while that was written down', async () => {
  const { journal, lease, store } = await secondAttempt();
  store.onRecord = () => {
    lease.held = false;
  };
  await expect(journal.begin(PAY)).rejects.toThrow(LeaseLostError);
});

test('gives the value of a step that an earlier attempt finished after this one had begun to look', async () => {
  const { journal, put } = await secondAttempt();
  put(1, 'finished');
  await expect(journal.begin(PAY)).resolves.toMatchObject({ value: '1', entry: { attempt: 1 } });
  expect(journal.steps).toEqual({ executed: 0, replayed: 1 });
});

test.each(['started', 'finished'] as const)(
  'refuses a step that a later attempt has %s: the task is its',
  async (state) => {
    const { journal, put, entry } = await secondAttempt();
    put(3, state);
    await expect(journal.begin(PAY)).rejects.toThrow('attempt 3 has taken over step:pay from attempt 2');
    expect(entry()).toMatchObject({ attempt: 3, state });
  },
);

test('refuses to write what was done when a later attempt has begun the step', async () => {
  const { journal, put, entry } = await secondAttempt();
  const begun = await journal.begin(PAY);
  if (!('key' in begun)) {
    throw new Error('the step was found finished');
  }
  put(3, 'started');
  await expect(journal.finish(begun, { value: 'paid twice' })).rejects.toThrow(LeaseLostError);
  expect(entry()).toMatchObject({ attempt: 3, state: 'started' });
});
