import { DRILL_TIMEOUT_MS, runNamedDrill, verdicts } from './run-named-drill';

test.each([
  ['gate-cost', 'cost'],
  ['gate-error-rate', 'errors'],
  ['gate-tool-calls', 'toolCalls'],
  ['gate-quality', 'quality'],
  ['gate-custom', 'answerLength'],
  ['gate-latency', 'latency'],
])(
  '%s: a release that breaks just that is taken back by that gate and no other',
  async (drill, gate) => {
    const report = await runNamedDrill(drill);
    expect(verdicts(report)).toEqual({ good: 'promoted', broken: 'rolled_back' });
    const broken = report.releases[1];
    const firing = broken?.gates.filter(({ state }) => state === 'ALARM').map(({ name }) => name);
    expect(firing).toEqual([gate]);
    expect(broken?.usersOnCandidate).toBeGreaterThan(0);
    expect(broken?.usersOnCandidate).toBeLessThan(broken?.usersTotal ?? 0);
    expect(broken?.tasks.candidate).toBeGreaterThan(0);
  },
  DRILL_TIMEOUT_MS,
);
