import { packageRoot } from '../../../rehearsal/core/package-root';
import { BUILT_IN_SCENARIO, runDrill } from '../../../rehearsal/drill';
import { DRILL_TIMEOUT_MS } from '../run-named-drill';

test(
  'rehearse without a scenario deploys the unchanged app, sends a probe and destroys the stack',
  async () => {
    const lines: string[] = [];
    const report = await runDrill({
      scenario: BUILT_IN_SCENARIO,
      directory: packageRoot(),
      app: 'node --import tsx examples/drill-agent/app.ts',
      probe: true,
      signal: new AbortController().signal,
      progress: { log: (_, text) => lines.push(text) },
    });
    expect(report.invariants.filter((invariant) => !invariant.held)).toEqual([]);
    expect(report.releases.map(({ verdict }) => verdict)).toEqual(['promoted']);
    expect(lines.join('\n')).toContain('the probe reached the agent, which could not use the scripted answer "ok"');
  },
  DRILL_TIMEOUT_MS,
);
