import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { provenanceOf } from '../../../lib/release';
import { writeFiles } from '../../support/agent-folder';
import { temporaryFolder } from '../../support/stack';

const here = process.cwd();
afterEach(() => process.chdir(here));

function git(folder: string, ...args: string[]): string {
  return execFileSync('git', ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', ...args], {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();
}

function repository(): string {
  const folder = temporaryFolder();
  git(folder, 'init', '-q');
  writeFiles(folder, { 'agent/prompts/a.md': 'one', 'readme.md': 'one' });
  git(folder, 'add', '.');
  git(folder, 'commit', '-qm', 'first', '--date', '2026-01-02T03:04:05Z');
  return folder;
}

function commit(folder: string, files: Record<string, string>): string {
  writeFiles(folder, files);
  git(folder, 'commit', '-qam', 'next');
  return git(folder, 'rev-parse', 'HEAD');
}

describe('provenanceOf', () => {
  test('names the last commit that touched the paths, not the last of all', () => {
    const folder = repository();
    const revision = commit(folder, { 'agent/prompts/a.md': 'two' });
    commit(folder, { 'readme.md': 'two' });
    process.chdir(folder);
    expect(provenanceOf(['agent'])).toEqual({
      revision,
      author: 'Ada',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    });
    expect(provenanceOf([join(folder, 'agent')]).revision).toBe(revision);
  });

  test('knows the first commit of a whole history', () => {
    const folder = repository();
    process.chdir(folder);
    expect(provenanceOf(['agent']).revision).toBe(git(folder, 'rev-parse', 'HEAD'));
  });

  test('says nothing while the paths have changes, and does not mind changes elsewhere', () => {
    const folder = repository();
    process.chdir(folder);
    writeFiles(folder, { 'readme.md': 'changed' });
    expect(provenanceOf(['agent']).revision).toBeDefined();
    writeFiles(folder, { 'agent/prompts/b.md': 'new' });
    expect(provenanceOf(['agent'])).toEqual({});
  });

  test('says nothing outside a repository, nor of paths that git never saw', () => {
    process.chdir(temporaryFolder());
    expect(provenanceOf(['agent'])).toEqual({});
    process.chdir(repository());
    expect(provenanceOf(['elsewhere'])).toEqual({});
    expect(provenanceOf([])).toEqual({});
  });

  test('says nothing in a shallow clone that ends before the answer', () => {
    const folder = repository();
    commit(folder, { 'readme.md': 'two' });
    const clone = join(temporaryFolder(), 'clone');
    git(folder, 'clone', '-q', '--depth', '1', `file://${folder}`, clone);
    process.chdir(clone);
    expect(provenanceOf(['agent'])).toEqual({});
  });
});
