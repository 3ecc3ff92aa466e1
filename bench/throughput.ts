import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FINAL_STATUSES, TASKS_PATH, type TaskRecord } from '../lib/contract';
import { RehearsalCloud } from '../rehearsal/cloud';
import { REHEARSAL_ACCOUNT, REHEARSAL_REGION } from '../rehearsal/core/resource';
import { findAgent } from '../rehearsal/drill/agent-under-test';
import { ApiClient } from '../rehearsal/drill/api-client';
import { fillSecrets } from '../rehearsal/drill/secrets';
import { ScriptedProvider } from '../rehearsal/provider';

const ROOT = join(__dirname, '..');
const TASKS = 1_000;
/** Callers at once; enough to keep router and workers busy. */
const CALLERS = 16;

export interface Throughput {
  readonly tasks: number;
  readonly seconds: number;
  readonly tasksPerSecond: number;
}

/** Tasks through the whole of the rehearsal, intake to result, as fast as they are taken: the drill agent, one release. */
export async function rehearsalThroughput(): Promise<Throughput> {
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
    synthesize(folder);
    const result = await cloud.deploy(folder);
    if (result.status !== 'CREATE_COMPLETE') {
      throw new Error(`the drill agent could not be deployed: ${result.reason}`);
    }
    const access = { endpoint: cloud.frontUrl, region: REHEARSAL_REGION, credentials: cloud.operatorCredentials };
    const secrets = cloud.resources().filter(({ type }) => type === 'AWS::SecretsManager::Secret');
    await fillSecrets(access, [{ name: '*', value: 'bench' }], secrets);
    const agent = findAgent(result.stackName, cloud.stackOutputs(), cloud.resources());
    const client = new ApiClient(agent.endpoint, cloud.operatorCredentials, () => Date.now());
    try {
      await send(client, 50);
      await allFinal(cloud, agent.tasksTable, 50);
      const start = performance.now();
      await send(client, TASKS);
      await allFinal(cloud, agent.tasksTable, TASKS + 50);
      const seconds = (performance.now() - start) / 1000;
      return { tasks: TASKS, seconds, tasksPerSecond: TASKS / seconds };
    } finally {
      client.close();
    }
  } finally {
    await cloud.stop();
    await provider.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function synthesize(folder: string): void {
  const { context } = JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8'));
  const run = spawnSync(process.execPath, ['--import', 'tsx', 'examples/drill-agent/app.ts'], {
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
    throw new Error(`the drill agent does not synthesize: ${run.stderr}`);
  }
}

async function send(client: ApiClient, count: number): Promise<void> {
  let sent = 0;
  const caller = async () => {
    while (sent < count) {
      const user = `user-${sent++ % 200}`;
      const answer = await client.send('POST', TASKS_PATH, { input: { text: 'note it' }, user });
      if (answer.status !== 202) {
        throw new Error(`a task was refused: ${answer.status} ${answer.text}`);
      }
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
}

async function allFinal(cloud: RehearsalCloud, table: string, count: number): Promise<void> {
  const patience = performance.now() + 120_000;
  for (;;) {
    const items = (await cloud.tables.scan(table)) as readonly Partial<TaskRecord>[];
    const final = items.filter(({ status }) => status !== undefined && FINAL_STATUSES.includes(status)).length;
    if (final >= count) {
      return;
    }
    if (performance.now() > patience) {
      throw new Error(`${final} of ${count} tasks were finished after two minutes`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
