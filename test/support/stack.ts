import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';

const ROOT = join(__dirname, '..', '..');

/** Feature flags as the repository's own app has them; the recommended ones as long as it has no cdk.json. */
function contextFlags(): Record<string, unknown> {
  const file = join(ROOT, 'cdk.json');
  if (existsSync(file)) {
    const { context } = JSON.parse(readFileSync(file, 'utf8')) as { context?: Record<string, unknown> };
    return context ?? {};
  }
  const recommended = require.resolve('aws-cdk-lib/recommended-feature-flags.json');
  return JSON.parse(readFileSync(recommended, 'utf8')) as Record<string, unknown>;
}

const folders: string[] = [];

/** A folder of its own for a test; removed when the test file is done. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cdk-agent-lanes-test-'));
  folders.push(folder);
  return folder;
}

afterAll(() => {
  for (const folder of folders.splice(0)) {
    rmSync(folder, { recursive: true, force: true });
  }
});

/**
 * An app with the feature flags of the repository's own; its assembly goes to a temporary folder. It does without what no
 * template holds: the tree of its constructs, and the place in the source that each was made at.
 */
export function testApp(context: Record<string, unknown> = {}): App {
  return new App({
    context: { ...contextFlags(), 'aws:cdk:disable-creation-stack-traces': true, ...context },
    outdir: temporaryFolder(),
    analyticsReporting: false,
    stackTraces: false,
    treeMetadata: false,
  });
}

/** A stack in such an app. */
export function testStack(context: Record<string, unknown> = {}, id = 'Test'): Stack {
  return new Stack(testApp(context), id);
}
