import { DRILL_TIMEOUT_MS, runNamedDrill } from '../run-named-drill';

test(
  'no-change: the second deployment changes nothing',
  async () => {
    const report = await runNamedDrill('no-change');
    const [first, again] = report.releases;
    expect(again).toMatchObject({ id: first?.id, verdict: 'promoted', reason: 'nothing to change', shiftSeconds: 0 });
  },
  DRILL_TIMEOUT_MS,
);
