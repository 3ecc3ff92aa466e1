import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The behavior with the variant's name in its prompt. */
export function behaviorOf(variant: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'drill-behavior-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  cpSync(join(__dirname, 'behavior'), folder, { recursive: true });
  const prompt = join(folder, 'prompts', 'task.md');
  writeFileSync(prompt, readFileSync(prompt, 'utf8').replace('VARIANT', variant));
  return folder;
}
