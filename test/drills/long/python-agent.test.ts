import { spawnSync } from 'node:child_process';
import { runInContainers } from '../containers';
import { DRILL_TIMEOUT_MS, verdicts } from '../run-named-drill';

const hasPython = spawnSync('python3', ['--version']).status === 0;

(hasPython ? test : test.skip)(
  'python-agent: an agent in Python, in a container beside the worker, is rolled out (skipped without python3)',
  async () => {
    const [report, workers] = await runInContainers('python-agent');
    expect(verdicts(report)).toEqual({ first: 'promoted', quicker: 'promoted' });
    expect(report.tasks.succeeded).toBe(report.tasks.submitted);
    expect(workers.requeued).toBe(0);
  },
  DRILL_TIMEOUT_MS,
);
