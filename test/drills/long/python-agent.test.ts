import { spawnSync } from 'node:child_process';
import { DRILL_TIMEOUT_MS, runContainerDrill, verdicts } from '../run-named-drill';

const hasPython = spawnSync('python3', ['--version']).status === 0;

(hasPython ? test : test.skip)(
  'python-agent: rolls out an agent in Python, in a container beside the worker (skipped without python3)',
  async () => {
    const [report, workers] = await runContainerDrill('python-agent');
    expect(verdicts(report)).toEqual({ first: 'promoted', quicker: 'promoted' });
    expect(report.tasks.succeeded).toBe(report.tasks.submitted);
    expect(workers.requeued).toBe(0);
  },
  DRILL_TIMEOUT_MS,
);
