import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { type BuildResult, build } from 'esbuild';
import { KEY, messageFor, modelMessage, TaskCloud } from './support/task-cloud';

const ROOT = join(__dirname, '../../..');
const run = promisify(execFile);

const AGENT = `
  import { defineAgent } from 'cdk-agent-lanes/runtime';
  import { createHandler } from 'cdk-agent-lanes/worker';
  import { z } from 'zod';
  const agent = defineAgent({
    input: z.object({ question: z.string() }),
    run: async (task, ctx) => (await ctx.model.generate({ prompt: ctx.prompt('hello', { name: task.input.question }) })).text,
  });
  export const handler = createHandler(agent);
`;

let folder: string;
let bundled: BuildResult<{ metafile: true }>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'worker-bundle-'));
  bundled = await build({
    stdin: { contents: AGENT, resolveDir: ROOT, loader: 'ts' },
    alias: {
      'cdk-agent-lanes/runtime': join(ROOT, 'lambda/runtime/index.ts'),
      'cdk-agent-lanes/worker': join(ROOT, 'lambda/worker/index.ts'),
    },
    outfile: join(folder, 'index.js'),
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    mainFields: ['module', 'main'],
    conditions: ['node', 'import'],
    metafile: true,
    logLevel: 'error',
  });
});

afterAll(() => rm(folder, { recursive: true }));

const inputs = () => Object.keys(bundled.metafile.inputs);

test('carries the clients that a worker calls and no others', () => {
  const clients = inputs().flatMap((file) => file.match(/@aws-sdk\/(client-[a-z0-9-]+)\//)?.[1] ?? []);
  expect([...new Set(clients)].sort()).toEqual([
    'client-appconfigdata',
    'client-bedrock-runtime',
    'client-dynamodb',
    'client-s3',
    'client-secrets-manager',
    'client-sqs',
  ]);
});

test('carries no constructs', () => {
  expect(inputs().filter((file) => /aws-cdk-lib|node_modules\/constructs\//.test(file))).toEqual([]);
  const library = inputs()
    .map((file) => relative(ROOT, join(ROOT, file)))
    .filter((file) => file.startsWith('lib/'));
  expect(library.filter((file) => !file.startsWith('lib/contract/'))).toEqual([]);
});

test('runs a task in a process of its own, as on Lambda', async () => {
  const cloud = await TaskCloud.start();
  try {
    cloud.model = () => ({ body: modelMessage('hello yourself') });
    const task = await cloud.putTask({ input: { question: 'you' } });
    const script = join(folder, 'invoke.js');
    const event = JSON.stringify({ Records: [messageFor(task)] });
    await writeFile(
      script,
      `require('./index.js').handler(${event}, { getRemainingTimeInMillis: () => 30000 })
         .then((response) => console.log('RESPONSE ' + JSON.stringify(response)));`,
    );
    const { stdout } = await run(process.execPath, [script], {
      env: { PATH: process.env.PATH, ...cloud.environment() },
    });
    expect(stdout).toContain('RESPONSE {"batchItemFailures":[]}');
    expect(stdout).toContain('"CloudWatchMetrics"');
    expect(stdout).not.toContain(KEY);
    expect(await cloud.task(task.id)).toMatchObject({ status: 'succeeded', result: 'hello yourself' });
  } finally {
    await cloud.close();
  }
});
