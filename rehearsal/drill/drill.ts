import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Env } from '../../lib/contract';
import { type CloudEvent, RehearsalCloud } from '../cloud';
import { ScriptedProvider } from '../provider';
import { type DrillOptions, DrillRun } from './drill-run';
import { CloudWatcher } from './observe/cloud-watcher';
import { ExecutionLog } from './observe/execution-log';
import { cloudStartFor, LimitWatch } from './observe/limit-watch';
import { RotatedKeys } from './observe/rotations';
import { buildReport, type DrillReport } from './report/report';
import { DEFAULT_SEED, DEFAULT_SPEED } from './scenario/scenario';
import { Synthesizer } from './scenario/synthesizer';
import { WebhookReceiver } from './traffic/webhook-receiver';

/**
 * Runs a scenario and checks its invariants.
 *
 * @throws DrillError, SynthesisError or NotRehearsable when the scenario cannot be run; the signal's reason when it aborts
 */
export async function runDrill(options: DrillOptions): Promise<DrillReport> {
  const { keep } = options;
  const workspace = keep === undefined ? await mkdtemp(join(tmpdir(), 'agent-lanes-drill-')) : resolve(keep);
  await mkdir(workspace, { recursive: true });
  try {
    return await runInWorkspace(workspace, options);
  } finally {
    if (keep === undefined) {
      await rm(workspace, { recursive: true, force: true });
    }
  }
}

async function runInWorkspace(workspace: string, options: DrillOptions): Promise<DrillReport> {
  const { scenario, directory, keep, progress, signal } = options;
  const started = performance.now();
  const seed = options.seed ?? scenario.seed ?? DEFAULT_SEED;
  const events: CloudEvent[] = [];
  const watcher = new CloudWatcher(progress, (event) => {
    if (keep !== undefined) {
      events.push(event);
    }
  });
  // Stops the synthesis of later releases however the run ends.
  const ended = new AbortController();
  const synthesizer = new Synthesizer({
    directory,
    output: join(workspace, 'assemblies'),
    signal: AbortSignal.any([signal, ended.signal]),
  });
  progress.log('', `${scenario.name}: ${scenario.releases.map(({ name }) => name).join(', ')}`);
  // The provider starts before the cloud and its clock, but needs the time only for requests, which come later.
  let now = () => 0;
  const keys = scenario.rotation === undefined ? undefined : new RotatedKeys(scenario.rotation, () => now());
  const limits = new LimitWatch(() => now());
  const executionLog = new ExecutionLog(join(workspace, 'executions.jsonl'));
  const provider = await ScriptedProvider.start({
    rules: scenario.provider?.rules ?? [{ name: 'ok' }],
    seed,
    onPrompt: (text) => {
      executionLog.onPrompt(text);
      limits.onPrompt();
    },
    keys,
  });
  const cloud = await RehearsalCloud.start({
    speed: options.speed ?? scenario.speed ?? DEFAULT_SPEED,
    startAt: cloudStartFor(scenario),
    seed,
    containers: (scenario.containers ?? []).map(({ image, command, cwd }) => ({
      image,
      command,
      ...(cwd === undefined ? {} : { cwd: resolve(directory, cwd) }),
    })),
    appDirectory: resolve(directory),
    extraEnvironment: {
      ANTHROPIC_BASE_URL: provider.url,
      OPENAI_BASE_URL: `${provider.url}/v1`,
      AWS_ENDPOINT_URL_BEDROCK_RUNTIME: provider.url,
      [Env.MODEL_BASE_URL]: `${provider.url}/v1`,
      ...executionLog.environment,
    },
    onEvent: (event) => {
      watcher.onEvent(event);
      limits.onEvent(event);
    },
    ...(keep === undefined ? {} : { logDirectory: join(workspace, 'logs') }),
  });
  now = () => cloud.clock.now();
  watcher.attach(cloud);
  const receiver = await WebhookReceiver.start(seed, scenario.chaos !== undefined);
  const run = new DrillRun({
    options,
    seed,
    cloud,
    provider,
    synthesizer,
    watcher,
    executionLog,
    receiver,
    keys,
    limits,
  });
  try {
    const history = await run.run();
    const wallSeconds = (performance.now() - started) / 1000;
    const report = buildReport(history, { scenario: scenario.name, seed, wallSeconds });
    if (keep !== undefined) {
      await writeDocuments(workspace, { report, history }, events);
    }
    return report;
  } finally {
    watcher.detach();
    ended.abort(new Error('the run has ended'));
    await run.stop();
    await cloud.stop();
    await provider.stop();
    await receiver.stop();
    await synthesizer.settled();
  }
}

/** The workspace already has the assemblies and the logs. */
async function writeDocuments(
  workspace: string,
  documents: Readonly<Record<string, unknown>>,
  events: readonly CloudEvent[],
): Promise<void> {
  for (const [name, document] of Object.entries(documents)) {
    await writeFile(join(workspace, `${name}.json`), `${JSON.stringify(document, null, 2)}\n`);
  }
  await writeFile(join(workspace, 'events.jsonl'), events.map((event) => `${JSON.stringify(event)}\n`).join(''));
}
