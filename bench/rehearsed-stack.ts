import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FINAL_STATUSES, TASK_SORT_KEY, TASKS_PATH } from '../lib/contract';
import { RehearsalCloud } from '../rehearsal/cloud';
import { REHEARSAL_ACCOUNT, REHEARSAL_REGION } from '../rehearsal/core/resource';
import { type AgentUnderTest, findAgent } from '../rehearsal/drill/scenario/agent-under-test';
import { ApiClient } from '../rehearsal/drill/traffic/api-client';
import { fillSecrets } from '../rehearsal/drill/traffic/secrets';
import { ScriptedProvider } from '../rehearsal/provider';

const ROOT = join(__dirname, '..');

/** Callers at once; enough to keep router and workers busy. */
const CALLERS = 16;

/** Longest that a bench waits for its tasks. Milliseconds. */
const PATIENCE_MS = 180_000;

/** One app in a rehearsed cloud, with a provider that always answers the same. */
export interface RehearsedStack {
  readonly cloud: RehearsalCloud;
  readonly agent: AgentUnderTest;
  readonly outputs: Readonly<Record<string, string>>;
  /** Sends a number of tasks as fast as the intake accepts them. */
  send(count: number, input: unknown): Promise<void>;
  /** Waits until a number of tasks, counted from the start, are final. */
  allFinal(count: number): Promise<void>;
}

/** Brings the app up, lets the work use it, and takes everything down again. */
export async function inRehearsal<T>(app: string, work: (stack: RehearsedStack) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'agent-lanes-bench-'));
  const provider = await ScriptedProvider.start({
    seed: 1,
    rules: [
      {
        name: 'all',
        answer: { text: '{"toolCalls": 1, "score": 0.9}', inputTokens: 100, outputTokens: 20, latencyMs: 0 },
      },
    ],
  });
  const cloud = await RehearsalCloud.start({
    speed: 10,
    seed: 1,
    extraEnvironment: { ANTHROPIC_BASE_URL: provider.url },
  });
  try {
    synthesize(app, folder);
    const result = await cloud.deploy(folder);
    if (result.status !== 'CREATE_COMPLETE') {
      throw new Error(`${app} could not be deployed: ${result.reason}`);
    }
    const access = { endpoint: cloud.endpointUrl, region: REHEARSAL_REGION, credentials: cloud.operatorCredentials };
    const secrets = cloud.resources().filter(({ type }) => type === 'AWS::SecretsManager::Secret');
    await fillSecrets(access, [{ name: '*', value: 'bench' }], secrets);
    const outputs = cloud.stackOutputs();
    const agent = findAgent(result.stackName, outputs, cloud.resources());
    const client = new ApiClient(agent.endpoint, cloud.operatorCredentials, () => Date.now());
    try {
      return await work({
        cloud,
        agent,
        outputs,
        send: (count, input) => send(client, count, input),
        allFinal: (count) => allFinal(cloud, agent.tasksTable, count),
      });
    } finally {
      client.close();
    }
  } finally {
    await cloud.stop();
    await provider.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** How a client reaches the stack's cloud, allowed to do everything. */
export function accessOf({ cloud }: RehearsedStack) {
  return { endpoint: cloud.endpointUrl, region: REHEARSAL_REGION, credentials: cloud.operatorCredentials };
}

function synthesize(app: string, folder: string): void {
  const { context } = JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8'));
  const run = spawnSync(process.execPath, ['--import', 'tsx', app], {
    cwd: ROOT,
    encoding: 'utf8',
    env: {
      ...process.env,
      CDK_OUTDIR: folder,
      CDK_CONTEXT_JSON: JSON.stringify(context),
      CDK_DEFAULT_ACCOUNT: REHEARSAL_ACCOUNT,
      CDK_DEFAULT_REGION: REHEARSAL_REGION,
    },
  });
  if (run.status !== 0) {
    throw new Error(`${app} does not synthesize: ${run.stderr}`);
  }
}

async function send(client: ApiClient, count: number, input: unknown): Promise<void> {
  let sent = 0;
  const caller = async () => {
    while (sent < count) {
      const user = `user-${sent++ % 200}`;
      const answer = await client.send('POST', TASKS_PATH, { input, user });
      if (answer.status !== 202) {
        throw new Error(`a task was refused: ${answer.status} ${answer.text}`);
      }
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
}

async function allFinal(cloud: RehearsalCloud, table: string, count: number): Promise<void> {
  const scaledTimeout = performance.now() + PATIENCE_MS;
  const finals: readonly unknown[] = FINAL_STATUSES;
  for (;;) {
    const items = await cloud.tables.scan(table);
    const final = items.filter(({ sk, status }) => sk === TASK_SORT_KEY && finals.includes(status)).length;
    if (final >= count) {
      return;
    }
    if (performance.now() > scaledTimeout) {
      throw new Error(`${final} of ${count} tasks were finished after ${PATIENCE_MS / 1000} s`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
