import { LONG_DRILL_TIMEOUT_MS, runNamedDrill } from '../run-named-drill';

test(
  'keys rotate under load, the last one is revoked at once, and no task fails',
  async () => {
    const { invariants } = await runNamedDrill('rotation');
    const detail = invariants.find(({ name }) => name === 'keys-really-change')?.detail;
    expect(detail).toMatch(/^4 keys in turn, [1-9]\d* refusals?; 4 service accounts created, 1 left$/);
  },
  LONG_DRILL_TIMEOUT_MS,
);
