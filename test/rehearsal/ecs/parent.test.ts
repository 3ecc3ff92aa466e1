import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { eventually } from './support';

const ROOT = join(__dirname, '..', '..', '..');

test('no container outlives a rehearsal that is killed, not even one that stands still', async () => {
  const parent = spawn(process.execPath, ['--import', 'tsx', join(__dirname, 'parent.fixture.ts')], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pids = await new Promise<number[]>((resolve) => {
    parent.stdout.setEncoding('utf8').on('data', (text: string) => resolve(JSON.parse(text)));
  });
  expect(pids.map(isAlive)).toEqual([true, true, true, true]);
  parent.kill('SIGKILL');
  await eventually(() => pids.every((pid) => !isAlive(pid)), 'the containers and their children to end');
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
