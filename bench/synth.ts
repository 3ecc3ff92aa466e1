import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Comparison, compare, timed } from './measure';

const ROOT = join(__dirname, '..');

interface Template {
  readonly Resources: Readonly<Record<string, { readonly Type: string }>>;
}

function synth(app: string, folder: string): number {
  return timed(process.execPath, ['--import', 'tsx', app], {
    CDK_OUTDIR: folder,
    CDK_CONTEXT_JSON: JSON.stringify(JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8')).context),
  });
}

/** How many resources of each type the assembly in the folder declares. */
export function resourceCounts(folder: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.template.json'))) {
    const template = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Template;
    for (const { Type } of Object.values(template.Resources)) {
      counts[Type] = (counts[Type] ?? 0) + 1;
    }
  }
  return counts;
}

/** Synth of the example against hand-written CDK code that declares the same number of resources of the same types. */
export function synthTime(rounds: number): Comparison[] {
  const folder = mkdtempSync(join(tmpdir(), 'agent-lanes-bench-'));
  try {
    const ours = join(folder, 'ours');
    const plain = join(folder, 'plain');
    const result = compare(
      { name: 'synth of the example', peer: 'plain CDK code, same resources', unit: 'ms', atMost: 1.15 },
      rounds,
      () => synth('bin/app.ts', ours),
      () => synth('bench/plain/app.ts', plain),
    );
    const [mine, peer] = [resourceCounts(ours), resourceCounts(plain)];
    const differing = [...new Set([...Object.keys(mine), ...Object.keys(peer)])].filter(
      (type) => mine[type] !== peer[type],
    );
    if (differing.length > 0) {
      const rows = differing.map((type) => `${type}: ${mine[type] ?? 0} here, ${peer[type] ?? 0} there`);
      throw new Error(
        `the two stacks do not declare the same resources, so their times cannot be compared: ${rows.join('; ')}`,
      );
    }
    return [result];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
