import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { buildBundles, buildWorker } from '../scripts/build-bundles';

const ROOT = join(__dirname, '..');
const CACHE = join(ROOT, 'node_modules/.cache/bundles.sha256');
const SOURCES = ['lambda', 'lib/contract', 'rehearsal/services/lambda', 'scripts'];
const BUNDLES = ['assets', 'assets-maps'];

/** Tests run against the bundles of the present source. They are built again when the sources or the bundles changed. */
export default async function globalSetup(): Promise<void> {
  if (existsSync(CACHE) && readFileSync(CACHE, 'utf8') === digest()) {
    return;
  }
  await Promise.all([buildBundles(), buildWorker()]);
  mkdirSync(dirname(CACHE), { recursive: true });
  writeFileSync(CACHE, digest());
}

function digest(): string {
  const hash = createHash('sha256').update(readFileSync(join(ROOT, 'package-lock.json')));
  for (const folder of [...SOURCES, ...BUNDLES].filter((name) => existsSync(join(ROOT, name)))) {
    for (const entry of readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) {
        const file = join(entry.parentPath, entry.name);
        hash.update(file).update(readFileSync(file));
      }
    }
  }
  return hash.digest('hex');
}
