import { scaledTimeout } from '../../../rehearsal/core/scaled-timeout';

test.each([
  ['at real speed the limit counts as it is', 1, 300_000, 300_000],
  ['a short limit is a real one at any speed', 60, 5_000, 300_000],
  ['a limit of minutes gets a real minute', 60, 300_000, 3_600_000],
  ['a limit that is long enough stays', 60, 3_600_000, 3_600_000],
  ['an hour at high speed gets a real minute', 600, 3_600_000, 36_000_000],
])('%s', (_name, speed, limit, expected) => {
  expect(scaledTimeout({ speed }, limit)).toBe(expected);
});
