import { DRILL_TIMEOUT_MS, runNamedDrill, verdicts } from '../run-named-drill';

test(
  'preflight-refuses: no user reaches a release that cannot answer, or that lacks a setting',
  async () => {
    const report = await runNamedDrill('preflight-refuses');
    expect(verdicts(report)).toEqual({ good: 'promoted', mute: 'refused', unset: 'refused' });
    expect(report.releases[1]).toMatchObject({ usersOnCandidate: 0, shiftSeconds: 0, tasks: { candidate: 0 } });
    expect(report.releases[1]?.reason).toContain('model_refusal');
    expect(report.releases[2]).toMatchObject({ usersOnCandidate: 0, shiftSeconds: 0, tasks: { candidate: 0 } });
    expect(report.releases[2]?.reason).toMatch(/check settings failed: settings of the agent: MAX_LINES is malformed/);
  },
  DRILL_TIMEOUT_MS,
);

test(
  'quiet-release: a release without traffic is not promoted',
  async () => {
    const report = await runNamedDrill('quiet-release');
    expect(verdicts(report)).toEqual({ good: 'promoted', unseen: 'rolled_back' });
    expect(report.releases[1]?.reason).toContain('not enough evidence: 0 of at least 20 tasks');
  },
  DRILL_TIMEOUT_MS,
);
