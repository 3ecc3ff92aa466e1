import { execFileSync, spawn } from 'node:child_process';
import { packageRoot } from '../../rehearsal/core/package-root';

const TIMEOUT_MS = 90_000;
const GRACE_MS = 5_000;

/** Process ids of the direct children. */
function childrenOf(pid: number): readonly number[] {
  const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  return table
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([child, parent]) => (parent === pid && child !== undefined ? [child] : []));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test(
  'an interrupted run stops every process that it has started',
  async () => {
    const run = spawn(process.execPath, ['--import', 'tsx', 'bin/cdk-agent-lanes.ts', 'drill', 'two-in-a-row'], {
      cwd: packageRoot(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const pid = run.pid ?? 0;
    let output = '';
    const exited = new Promise<number | null>((resolve) => run.on('close', (code) => resolve(code)));
    const running = new Promise<void>((resolve) => {
      for (const stream of [run.stdout, run.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          output += text;
          // During a rollout functions run, and CloudFormation waits for CodeDeploy.
          if (output.includes('shift: 50 %')) {
            resolve();
          }
        });
      }
    });
    await Promise.race([running, exited.then((code) => Promise.reject(new Error(`ended with ${code}: ${output}`)))]);
    const children = childrenOf(pid);
    expect(children.length).toBeGreaterThan(0);
    run.kill('SIGINT');
    expect(await exited).toBe(130);
    // A killed process disappears with a delay on a busy machine.
    const deadline = Date.now() + GRACE_MS;
    while (children.some(isAlive) && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(children.filter(isAlive)).toEqual([]);
    expect(output).toContain('interrupted: stopping everything that this run has started');
  },
  TIMEOUT_MS,
);
