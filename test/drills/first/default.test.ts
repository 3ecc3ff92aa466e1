import { LONG_DRILL_TIMEOUT_MS, retrySlower, runNamedDrill, verdicts } from '../run-named-drill';

test(
  'npm start: the gates roll back the release that regresses, and the one that improves is promoted',
  () =>
    retrySlower(async (overrides) => {
      const report = await runNamedDrill('default', overrides);
      expect(verdicts(report)).toEqual({ first: 'promoted', regressed: 'rolled_back', improved: 'promoted' });
      expect(report.tasks).toMatchObject({ lost: 0, duplicateResults: 0 });
    }),
  2 * LONG_DRILL_TIMEOUT_MS,
);
