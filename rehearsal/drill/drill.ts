import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { leaseTimes } from '../../lambda/worker/lease/lease-times';
import { Env, type TaskRecord, valveBucketOf, WorkerMetric } from '../../lib/contract';
import { type CloudEvent, RehearsalCloud } from '../cloud';
import { REHEARSAL_REGION } from '../core/resource';
import { ScriptedProvider } from '../provider';
import { isFinal, waitsForNextDay } from './invariants/tasks';
import { CloudWatcher } from './observe/cloud-watcher';
import { ContainerWorkers } from './observe/container-workers';
import { ExecutionLog } from './observe/execution-log';
import { failoverOf } from './observe/failover';
import { gatesOf } from './observe/gates';
import { hookFailure } from './observe/hook-finding';
import { messagesIn } from './observe/lane-queues';
import { findLeaks } from './observe/leaks';
import { cloudStartFor, LimitWatch } from './observe/limit-watch';
import { destroyStack, liveTasks, observe, promotedItem } from './observe/observations';
import { sumOf } from './observe/observed-metrics';
import type { OperatorAccess } from './observe/operator-access';
import { RotatedKeys, SecretRotator } from './observe/rotations';
import { tracesOf } from './observe/trace-watch';
import { abortable, POLL_MS, pause, until } from './observe/wait';
import { WriteObserver } from './observe/write-observer';
import type { DrillHistory, ReleaseHistory, StepHistory } from './report/history';
import type { Progress } from './report/progress';
import { refusedAtSynth, releaseHistory } from './report/release-history';
import { buildReport, type DrillReport } from './report/report';
import { chooseAgentStack, DrillError, type StackInAssembly, stacksOf } from './scenario/agent-stack';
import { type AgentUnderTest, findAgent } from './scenario/agent-under-test';
import { bringsProbe, dataPlaneOf, isHeartbeat } from './scenario/data-plane';
import { DEFAULT_SEED, DEFAULT_SPEED, type Scenario, type ScenarioRelease } from './scenario/scenario';
import { SynthesisError, Synthesizer } from './scenario/synthesizer';
import { callerCredentials } from './traffic/caller';
import { sendProbe } from './traffic/probe';
import { createSecrets, fillSecrets, webhookSecret } from './traffic/secrets';
import { WebhookReceiver } from './traffic/webhook-receiver';
import { Workload } from './traffic/workload';

export interface DrillOptions {
  readonly scenario: Scenario;
  /** Folder of the app, with its cdk.json. */
  readonly directory: string;
  /** Command that synthesizes the app, when neither release nor scenario names one. @default "app" in cdk.json */
  readonly app?: string;
  /** @default the scenario's, else 30 */
  readonly speed?: number;
  /** @default the scenario's, else 1 */
  readonly seed?: number;
  /** Folder in which assemblies, logs, events, tables and report are left for inspection. */
  readonly keep?: string;
  /** Sends a probe task after the first deployment. */
  readonly probe?: boolean;
  /** Ends the run and everything that it started. */
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

/** Longest wait for tasks that are under way when the traffic has ended: cloud time, and at least so much real time. */
const DRAIN_CLOUD_MS = 40 * 60_000;
const DRAIN_REAL_MS = 15_000;
/** Longest wait for the candidate lane to run empty after a deployment, likewise. */
const LANE_EMPTY_CLOUD_MS = 15 * 60_000;
const LANE_EMPTY_REAL_MS = 5_000;
/** Where things go wrong, tasks wait for further attempts. */
const LANE_EMPTY_IN_TROUBLE_REAL_MS = 90_000;

/**
 * Runs a scenario and judges it.
 *
 * @throws DrillError, SynthesisError or NotRehearsable when it cannot be run; the signal's reason when it aborts
 */
export async function runDrill(options: DrillOptions): Promise<DrillReport> {
  const { keep } = options;
  const workspace = keep === undefined ? await mkdtemp(join(tmpdir(), 'agent-lanes-drill-')) : resolve(keep);
  await mkdir(workspace, { recursive: true });
  try {
    return await runIn(workspace, options);
  } finally {
    if (keep === undefined) {
      await rm(workspace, { recursive: true, force: true });
    }
  }
}

async function runIn(workspace: string, options: DrillOptions): Promise<DrillReport> {
  const { scenario, directory, keep, progress, signal } = options;
  const started = performance.now();
  const seed = options.seed ?? scenario.seed ?? DEFAULT_SEED;
  const events: CloudEvent[] = [];
  const watcher = new CloudWatcher(progress, (event) => {
    if (keep !== undefined) {
      events.push(event);
    }
  });
  // Ends apps that are synthesized ahead when the run ends for whatever reason.
  const ended = new AbortController();
  const synthesizer = new Synthesizer({
    directory,
    output: join(workspace, 'assemblies'),
    signal: AbortSignal.any([signal, ended.signal]),
  });
  progress.log('', `${scenario.name}: ${scenario.releases.map(({ name }) => name).join(', ')}`);
  // Asked for the time only by requests, and these come when there is a cloud.
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
  const startAt = cloudStartFor(scenario);
  const cloud = await RehearsalCloud.start({
    speed: options.speed ?? scenario.speed ?? DEFAULT_SPEED,
    startAt,
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
  const run = new DrillRun(options, seed, cloud, provider, synthesizer, watcher, executionLog, receiver, keys, limits);
  try {
    const history = await run.run();
    const wallSeconds = (performance.now() - started) / 1000;
    const report = buildReport(history, { scenario: scenario.name, seed, wallSeconds });
    if (keep !== undefined) {
      await keepDocuments(workspace, { report, history }, events);
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

/** Assemblies and logs are in the workspace already. */
async function keepDocuments(
  workspace: string,
  documents: Readonly<Record<string, unknown>>,
  events: readonly CloudEvent[],
): Promise<void> {
  for (const [name, document] of Object.entries(documents)) {
    await writeFile(join(workspace, `${name}.json`), `${JSON.stringify(document, null, 2)}\n`);
  }
  await writeFile(join(workspace, 'events.jsonl'), events.map((event) => `${JSON.stringify(event)}\n`).join(''));
}

/** One run of a scenario on a cloud of its own. */
class DrillRun {
  private readonly scenario: Scenario;
  private readonly signal: AbortSignal;
  private readonly progress: Progress;
  private readonly access: OperatorAccess;
  private readonly releases: ReleaseHistory[] = [];
  private readonly witness = new WriteObserver();
  private workload: Workload | undefined;
  private agent: AgentUnderTest | undefined;
  private rotations: SecretRotator | undefined;
  private workers: ContainerWorkers | undefined;
  private stackName = '';

  constructor(
    private readonly options: DrillOptions,
    private readonly seed: number,
    private readonly cloud: RehearsalCloud,
    private readonly provider: ScriptedProvider,
    private readonly synthesizer: Synthesizer,
    private readonly watcher: CloudWatcher,
    private readonly executionLog: ExecutionLog,
    private readonly receiver: WebhookReceiver,
    private readonly keys: RotatedKeys | undefined,
    private readonly limits: LimitWatch,
  ) {
    this.scenario = options.scenario;
    this.signal = options.signal;
    this.progress = options.progress;
    this.access = {
      endpoint: cloud.endpointUrl,
      region: REHEARSAL_REGION,
      credentials: cloud.operatorCredentials,
    };
  }

  async run(): Promise<DrillHistory> {
    const { cloud, scenario } = this;
    await createSecrets(this.access, scenario.secrets ?? []);
    for (const [index, release] of scenario.releases.entries()) {
      await this.rehearse(release, scenario.releases[index + 1]);
    }
    const rotations = await this.rotations?.finish();
    await this.workers?.stopSome();
    const tasks = await this.drain();
    await this.workers?.afterLoad();
    const reads = (await this.workload?.readBack(tasks)) ?? [];
    const since = this.releases[0]?.startedAt ?? cloud.clock.now();
    const workers = await this.workers?.history();
    const observed = await observe(cloud, this.provider, this.access, this.agent, since);
    const agent = this.agent?.name ?? '';
    const history: Omit<DrillHistory, 'leaks' | 'destruction'> = {
      agent,
      speed: cloud.clock.speed,
      submissions: this.workload?.submissions ?? [],
      cancellations: this.workload?.cancellations ?? [],
      webhooks: this.receiver.deliveries,
      tasks: tasks.map((task) => ({ ...task, lane: this.witness.laneAtAcceptance(task.id) ?? task.lane })),
      ends: this.witness.ends,
      releases: this.releases,
      reads,
      faults: scenario.chaos === undefined ? undefined : cloud.faults.report(),
      rotations,
      workers,
      ...failoverOf(scenario, this.provider),
      ...this.limits.history(scenario),
      steps: await this.steps(since),
      traces: tracesOf(cloud, tasks),
      flagDeployments: cloud.configurationDeployments(),
      bucketOf: (routerVersion, user) => valveBucketOf(agent, routerVersion, user),
      ...observed,
    };
    const leaks = await findLeaks(cloud, scenario, { 'the report': JSON.stringify(history) });
    return { ...history, ...(leaks === undefined ? {} : { leaks }), destruction: await this.destroy() };
  }

  /** What the agents did, if they wrote it down. */
  private async steps(since: number): Promise<StepHistory | undefined> {
    const { agent, cloud, access } = this;
    const executions = this.executionLog.executions(cloud.faults.freezeWindows);
    if (agent === undefined || executions.length === 0) {
      return undefined;
    }
    return {
      executed: executions.length,
      replayed: (await sumOf(WorkerMetric.REPLAYED_STEPS, access, agent.name, since, cloud.clock.now())) ?? 0,
      executedAfterFinish: this.witness.repeatedExecutions(executions),
    };
  }

  async stop(): Promise<void> {
    await this.workload?.stop();
  }

  private async synthesize(release: ScenarioRelease): Promise<string> {
    const app = release.app ?? this.scenario.app ?? this.options.app ?? (await this.synthesizer.defaultApp());
    if (app === undefined) {
      throw new DrillError(
        `no app to rehearse in ${this.options.directory}: give the command that synthesizes it with --app, or in cdk.json`,
      );
    }
    return await this.synthesizer.synthesize({ app, context: release.context ?? {}, environment: release.env ?? {} });
  }

  /** Deploys one release under traffic, and waits until enough of it has been seen. */
  private async rehearse(release: ScenarioRelease, next: ScenarioRelease | undefined): Promise<void> {
    const { cloud, signal, workload } = this;
    const assembly = await this.synthesize(release).catch((error: unknown) => {
      if (error instanceof SynthesisError && release.expected === 'refused' && !signal.aborted) {
        return error;
      }
      throw error;
    });
    signal.throwIfAborted();
    const tasksBefore = workload?.tasks ?? 0;
    let history: ReleaseHistory;
    if (assembly instanceof SynthesisError) {
      history = refusedAtSynth(release, assembly.message, this.releases.at(-1), cloud.clock.now());
    } else {
      history = await this.deploy(release, assembly, next);
    }
    const tone = history.verdict === history.expected ? 'success' : 'failure';
    this.progress.log(release.name, `${history.verdict.replace('_', ' ')}: ${history.reason}`, tone);
    const share = release.traffic?.minShare ?? 1 / this.scenario.releases.length;
    await this.workload?.sendShare(release, tasksBefore, share, next === undefined);
    this.releases.push({ ...history, candidateBacklog: await this.candidateBacklog() });
  }

  private async deploy(
    release: ScenarioRelease,
    assembly: string,
    next: ScenarioRelease | undefined,
  ): Promise<ReleaseHistory> {
    const { cloud, watcher } = this;
    const stack = this.stackOf(release, assembly);
    const { stackName } = stack;
    const first = this.agent === undefined;
    if (release.traffic?.paused) {
      await this.workload?.pause();
    }
    const disarm = (release.faults ?? []).map((fault) =>
      cloud.failResource(fault.resource, fault.reason, fault.operation),
    );
    const known = new Set(cloud.deployments().map(({ id }) => id));
    const startedAt = cloud.clock.now();
    watcher.begin(release.name, first ? [] : gatesOf(cloud.resources(stackName)));
    this.progress.log(release.name, `deploying release ${stack.releases[0]}`);
    const deploying = cloud.deploy(assembly, stackName);
    if (next !== undefined) {
      this.synthesize(next).catch(() => undefined); // Awaited when it is its turn.
    }
    const result = await abortable(deploying, this.signal);
    for (const undo of disarm) {
      undo();
    }
    const endedAt = cloud.clock.now();
    if (result.status === 'CREATE_COMPLETE') {
      await this.onStackCreated(startedAt);
    }
    return releaseHistory({
      release,
      id: stack.releases[0],
      first,
      result,
      shift: cloud.deployments().find(({ id }) => !known.has(id)),
      startedAt,
      endedAt,
      promoted: this.agent === undefined ? undefined : await promotedItem(cloud, this.agent),
      gates: gatesOf(cloud.resources(stackName)),
      readings: first ? [] : watcher.decided(),
      flagsDeployed: cloud
        .configurationDeployments()
        .some(({ startedAt: at, shares }) => at >= startedAt && shares.some(({ percent }) => percent > 0)),
      finding: hookFailure(cloud, stackName, startedAt),
      speed: cloud.clock.speed,
    });
  }

  private stackOf(release: ScenarioRelease, assembly: string): StackInAssembly {
    const stack = chooseAgentStack(stacksOf(assembly), this.scenario.stack);
    if (this.stackName !== '' && this.stackName !== stack.stackName) {
      throw new DrillError(
        `release ${release.name} is in stack ${stack.stackName}, expected ${this.stackName} as for the ones before: releases of a scenario are updates of one stack`,
      );
    }
    this.stackName = stack.stackName;
    return stack;
  }

  /** Once the stack is there: finds the agent, puts secrets in, gets the traffic ready. */
  private async onStackCreated(since: number): Promise<void> {
    const { scenario, cloud, stackName, progress, signal } = this;
    const resources = cloud.resources(stackName);
    const agent = findAgent(stackName, cloud.stackOutputs(stackName), resources);
    this.agent = agent;
    const secrets = resources.filter(({ type }) => type === 'AWS::SecretsManager::Secret');
    const unmatched = await fillSecrets(this.access, scenario.secrets ?? [], secrets);
    if (unmatched.length > 0 && secrets.length > 0) {
      progress.log('', `no secret of the stack matches ${unmatched.join(', ')}`, 'failure');
    }
    if (scenario.rotation !== undefined && this.keys !== undefined) {
      const { access, keys } = this;
      this.rotations = await SecretRotator.begin(
        { plan: scenario.rotation, keys, cloud, access, progress, signal },
        secrets,
      );
    }
    if (this.options.probe) {
      const { kind, reason } = await sendProbe(this.access, agent, cloud.clock, signal);
      if (kind === 'failed') {
        throw new DrillError(`the probe did not come through: ${reason}`);
      }
      progress.log(
        '',
        kind === 'passed'
          ? reason
          : `the probe reached the agent, which could not use the scripted answer "ok": ${reason}`,
        kind === 'passed' ? 'success' : 'plain',
      );
    }
    const { traffic } = scenario;
    if (traffic !== undefined) {
      const caller = callerCredentials(cloud, stackName, traffic.callerRole);
      const secret = await webhookSecret(this.access, cloud.stackOutputs(stackName));
      if (secret !== undefined) {
        this.receiver.checkWith(secret);
      }
      this.workload = new Workload({
        cloud,
        agent,
        traffic,
        caller,
        seed: this.seed,
        progress,
        signal,
        webhookUrl: this.receiver.url,
        patient: scenario.chaos !== undefined,
        mayWait: () => this.limits.isBudgetNearlyUsedUp,
      });
    }
    this.workers = ContainerWorkers.of({ cloud, agent, access: this.access, scenario, progress, signal, since });
    await this.workers?.beforeLoad();
    this.rotations?.start(() => this.workload?.tasks ?? 0, traffic?.tasks ?? 0);
    cloud.tables.observe(agent.tasksTable, this.witness.onWrite);
    if (scenario.chaos !== undefined) {
      const { functions, workers } = dataPlaneOf(resources, agent.queues);
      const { leaseMs } = leaseTimes({ [Env.CLOCK]: JSON.stringify(cloud.clock.settings()) });
      cloud.faults.begin({
        rates: scenario.chaos,
        functions,
        workers,
        leaseMs,
        isHeartbeat,
        isExempt: bringsProbe,
      });
      progress.log('', `injecting faults from now on, by the plan of seed ${this.seed}`);
    }
  }

  /** Gives the candidate lane time to run empty. @returns what is left in it */
  private async candidateBacklog(): Promise<number> {
    const { agent, cloud } = this;
    if (agent === undefined) {
      return 0;
    }
    const left = () => messagesIn(cloud, agent.queues, 'candidate');
    const leastMs = this.scenario.chaos === undefined ? LANE_EMPTY_REAL_MS : LANE_EMPTY_IN_TROUBLE_REAL_MS;
    await until(() => left() === 0, this.realMs(LANE_EMPTY_CLOUD_MS, leastMs), this.signal);
    return left();
  }

  /** Ends the traffic and waits until every task is final, or long enough to say that it is lost. */
  private async drain(): Promise<readonly TaskRecord[]> {
    const { agent, cloud, signal } = this;
    await this.workload?.pause();
    // What went wrong must mend by itself, and what still waits be done.
    cloud.faults.end();
    if (agent === undefined) {
      return [];
    }
    const limit = this.realMs(DRAIN_CLOUD_MS, DRAIN_REAL_MS);
    const deadline = performance.now() + limit;
    const overBudget = this.scenario.budget !== undefined;
    if (!overBudget) {
      await until(() => messagesIn(cloud, agent.queues) === 0, limit, signal);
    }
    const isDone = (task: TaskRecord) => isSettled(task) || (overBudget && waitsForNextDay(task));
    let tasks = await liveTasks(cloud, agent);
    while (!tasks.every(isDone) && performance.now() < deadline) {
      await pause(POLL_MS * 5, signal);
      tasks = await liveTasks(cloud, agent);
    }
    if (tasks.length > 0) {
      this.progress.log('', `traffic ended: ${tasks.length} tasks, ${tasks.filter(isFinal).length} final`);
    }
    return tasks;
  }

  private async destroy(): Promise<DrillHistory['destruction']> {
    if (this.agent === undefined) {
      // The first deployment was refused, and CloudFormation has taken everything back itself.
      return { completed: true, failures: [], leftovers: [], retained: [] };
    }
    this.progress.log('', 'destroying the stack');
    return await abortable(destroyStack(this.cloud, this.stackName), this.signal);
  }

  private realMs(cloudMs: number, leastRealMs: number): number {
    return Math.max(leastRealMs, cloudMs / this.cloud.clock.speed);
  }
}

/** Final, and the caller told if there is anything to be told. */
function isSettled(task: TaskRecord): boolean {
  const told =
    task.webhook === undefined || task.webhookDeliveredAt !== undefined || task.webhookAbandonedAt !== undefined;
  return isFinal(task) && told;
}
