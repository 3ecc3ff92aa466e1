import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ContainerExit } from '../../../../lambda/functions/container/exit-codes';
import { AgentPath, ERROR_KINDS, TaskPath } from '../../../../lib/contract/agent-protocol';

const page = readFileSync(join(__dirname, '../../../../docs/agent-protocol.md'), 'utf8');

test('the page for authors names every path, every kind of error that an agent may answer, and every exit code', () => {
  for (const path of [...Object.values(AgentPath), ...Object.values(TaskPath)]) {
    expect(page).toContain(path);
  }
  for (const kind of ERROR_KINDS.filter((each) => each !== 'ended')) {
    expect(page).toContain(`\`${kind}\``);
  }
  const codes = [...page.matchAll(/^\| (\d+) +\| /gm)].map(([, code]) => Number(code));
  expect(codes).toEqual(expect.arrayContaining(Object.values(ContainerExit)));
});
