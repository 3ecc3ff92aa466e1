import type { JournalEntry } from '../../../../lib/contract';
import { RELEASE } from './task-cloud';

/** An entry of the step journal; a finished one has the number of its attempt for a value. */
export const entryOf = (key: string, attempt: number, state: JournalEntry['state']): JournalEntry => ({
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
