import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { type Comparison, compare } from './measure';

const ROOT = join(__dirname, '..');
const ROUTER = join(ROOT, 'assets', 'router', 'index.js');

/** The SDK clients that the router uses, bundled whole, as a handler that imports them plainly would be. */
const CLIENTS = [
  '@aws-sdk/client-dynamodb',
  '@aws-sdk/lib-dynamodb',
  '@aws-sdk/client-sqs',
  '@aws-sdk/client-lambda',
  '@aws-sdk/client-s3',
  '@aws-sdk/client-cloudwatch',
];

/** Environment that the router needs to be loaded; it calls nothing. */
const ENVIRONMENT = { AWS_REGION: 'us-east-1', AWS_LAMBDA_FUNCTION_NAME: 'router', AWS_LAMBDA_FUNCTION_VERSION: '1' };

/** Milliseconds that a fresh process needs to load the bundle, without the start of the process itself. */
function loadTime(bundle: string): number {
  const program = `const s=process.hrtime.bigint();require(${JSON.stringify(bundle)});process.stdout.write(String(Number(process.hrtime.bigint()-s)/1e6))`;
  const run = spawnSync(process.execPath, ['--no-warnings', '-e', program], {
    env: { ...process.env, ...ENVIRONMENT },
    encoding: 'utf8',
  });
  if (run.status !== 0) {
    throw new Error(`loading ${bundle} failed: ${run.stderr}`);
  }
  return Number(run.stdout);
}

export function routerBundle(rounds: number): Comparison[] {
  const folder = mkdtempSync(join(tmpdir(), 'agent-lanes-bench-'));
  try {
    const plain = join(folder, 'index.js');
    buildSync({
      stdin: {
        contents: CLIENTS.map((name, index) => `export * as c${index} from '${name}';`).join('\n'),
        resolveDir: ROOT,
      },
      bundle: true,
      minify: true,
      platform: 'node',
      target: 'node24',
      format: 'cjs',
      outfile: plain,
      logLevel: 'error',
    });
    const peer = 'plain bundle of the same SDK clients';
    const size = (file: string) => statSync(file).size / 1024;
    return [
      compare(
        { name: 'router bundle size', peer, unit: 'KiB' },
        1,
        () => size(ROUTER),
        () => size(plain),
      ),
      compare(
        { name: 'router bundle load time', peer, unit: 'ms', atMost: 0.75 },
        rounds,
        () => loadTime(ROUTER),
        () => loadTime(plain),
      ),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
