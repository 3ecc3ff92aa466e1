import { leaseTimes } from '../../lambda/worker/lease/lease-times';
import { Env, type TaskRecord, valveBucketOf, WorkerMetric } from '../../lib/contract';
import type { RehearsalCloud } from '../cloud';
import { handlerNode } from '../core/handler-node';
import { REHEARSAL_REGION } from '../core/resource';
import type { ScriptedProvider } from '../provider';
import { isFinal, waitsForNextDay } from './invariants/tasks';
import type { CloudWatcher } from './observe/cloud-watcher';
import { ContainerWorkers } from './observe/container-workers';
import type { ExecutionLog } from './observe/execution-log';
import { failoverOf } from './observe/failover';
import { gatesOf } from './observe/gates';
import { hookFailure } from './observe/hook-failure';
import { messagesIn } from './observe/lane-queues';
import { findLeaks } from './observe/leaks';
import type { LimitWatch } from './observe/limit-watch';
import { destroyStack, liveTasks, observe, promotedItem, runtimesOf } from './observe/observations';
import { sumOf } from './observe/observed-metrics';
import type { OperatorAccess } from './observe/operator-access';
import { type RotatedKeys, SecretRotator } from './observe/rotations';
import { tracesOf } from './observe/trace-watch';
import { abortable, POLL_MS, pause, until } from './observe/wait';
import { WriteObserver } from './observe/write-observer';
import type { DrillHistory, ReleaseHistory, StepHistory } from './report/history';
import type { Progress } from './report/progress';
import { refusedAtSynth, releaseHistory } from './report/release-history';
import { chooseAgentStack, DrillError, type StackInAssembly, stacksOf } from './scenario/agent-stack';
import { type AgentUnderTest, findAgent } from './scenario/agent-under-test';
import { dataPlaneOf, hasProbe, isHeartbeat, type PlacedResource } from './scenario/data-plane';
import type { Scenario, ScenarioRelease } from './scenario/scenario';
import { SynthesisError, type Synthesizer } from './scenario/synthesizer';
import { sendProbe } from './traffic/probe';
import { createSecrets, fillSecrets, webhookSecret } from './traffic/secrets';
import type { WebhookReceiver } from './traffic/webhook-receiver';
import { callerCredentialsFor, Workload } from './traffic/workload';

export interface DrillOptions {
  readonly scenario: Scenario;
  /** Folder of the app, with its cdk.json. */
  readonly directory: string;
  /** Command that synthesizes the app, if neither the release nor the scenario has one. @default "app" in cdk.json */
  readonly app?: string;
  /** Cloud seconds per real second. @default - that of the scenario, otherwise 30 */
  readonly speed?: number;
  /** @default - that of the scenario, otherwise 1 */
  readonly seed?: number;
  /** Folder in which assemblies, logs, events, tables and report are kept for inspection. @default - nothing is kept */
  readonly keep?: string;
  /** Whether to send a probe task after the first deployment. @default false */
  readonly probe?: boolean;
  /** Stops the run and everything that it has started. */
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

export interface DrillRunDeps {
  readonly options: DrillOptions;
  readonly seed: number;
  readonly cloud: RehearsalCloud;
  readonly provider: ScriptedProvider;
  readonly synthesizer: Synthesizer;
  readonly watcher: CloudWatcher;
  readonly executionLog: ExecutionLog;
  readonly receiver: WebhookReceiver;
  readonly keys: RotatedKeys | undefined;
  readonly limits: LimitWatch;
}

/** A duration in cloud time, with a minimum in real time for slow machines. */
interface Wait {
  readonly cloudMs: number;
  readonly minRealMs: number;
}

/** Maximum wait for the remaining tasks after the traffic has ended. */
const DRAIN_WAIT: Wait = { cloudMs: 40 * 60_000, minRealMs: 15_000 };

/** Maximum wait for the candidate lane to become empty after a deployment. */
const LANE_EMPTY_WAIT: Wait = { cloudMs: 15 * 60_000, minRealMs: 5_000 };

/** With injected faults, tasks wait for further attempts. */
const LANE_EMPTY_WAIT_WITH_FAULTS: Wait = { ...LANE_EMPTY_WAIT, minRealMs: 90_000 };

/** One run of a scenario in its own cloud. */
export class DrillRun {
  readonly #deps: DrillRunDeps;
  readonly #scenario: Scenario;
  readonly #signal: AbortSignal;
  readonly #progress: Progress;
  readonly #access: OperatorAccess;
  readonly #releases: ReleaseHistory[] = [];
  readonly #writes = new WriteObserver();
  #workload: Workload | undefined;
  #agent: AgentUnderTest | undefined;
  #rotator: SecretRotator | undefined;
  #workers: ContainerWorkers | undefined;
  #stackName = '';

  constructor(deps: DrillRunDeps) {
    const { options, cloud } = deps;
    this.#deps = deps;
    this.#scenario = options.scenario;
    this.#signal = options.signal;
    this.#progress = options.progress;
    this.#access = {
      endpoint: cloud.endpointUrl,
      region: REHEARSAL_REGION,
      credentials: cloud.operatorCredentials,
    };
  }

  async run(): Promise<DrillHistory> {
    const { cloud, provider, receiver, limits } = this.#deps;
    const scenario = this.#scenario;
    await createSecrets(this.#access, scenario.secrets ?? []);
    for (const [index, release] of scenario.releases.entries()) {
      await this.#rollOut(release, scenario.releases[index + 1]);
    }
    const rotations = await this.#rotator?.finish();
    await this.#workers?.stopBusyWorkers();
    const tasks = await this.#drain();
    await this.#workers?.afterLoad();
    const reads = (await this.#workload?.readTasks(tasks)) ?? [];
    const since = this.#releases[0]?.startedAt ?? cloud.clock.now();
    const workers = await this.#workers?.history();
    const observed = await observe(cloud, provider, this.#access, this.#agent, since);
    const agent = this.#agent?.name ?? '';
    const history: Omit<DrillHistory, 'leaks' | 'destruction'> = {
      agent,
      speed: cloud.clock.speed,
      handlerNode: { version: handlerNode().version, runtimes: runtimesOf(cloud.resources(this.#stackName)) },
      submissions: this.#workload?.submissions ?? [],
      cancellations: this.#workload?.cancellations ?? [],
      webhooks: receiver.deliveries,
      tasks: tasks.map((task) => ({ ...task, lane: this.#writes.laneAtAcceptance(task.id) ?? task.lane })),
      ends: this.#writes.ends,
      releases: this.#releases,
      reads,
      faults: scenario.chaos === undefined ? undefined : cloud.faults.report(),
      rotations,
      workers,
      ...failoverOf(scenario, provider),
      ...limits.history(scenario),
      steps: await this.#stepHistory(since),
      traces: tracesOf(cloud, tasks),
      flagDeployments: cloud.configurationDeployments(),
      bucketOf: (routerVersion, user) => valveBucketOf(agent, routerVersion, user),
      ...observed,
    };
    const leaks = await findLeaks(cloud, scenario, { 'the report': JSON.stringify(history) });
    return { ...history, leaks, destruction: await this.#destroy() };
  }

  async stop(): Promise<void> {
    await this.#workload?.stop();
  }

  /** Deploys one release under traffic, and waits until it has had its share of the traffic. */
  async #rollOut(release: ScenarioRelease, next: ScenarioRelease | undefined): Promise<void> {
    const { clock } = this.#deps.cloud;
    const assembly = await this.#synthesize(release).catch((error: unknown) => {
      if (error instanceof SynthesisError && release.expected === 'refused' && !this.#signal.aborted) {
        return error;
      }
      throw error;
    });
    this.#signal.throwIfAborted();
    const tasksBefore = this.#workload?.tasks ?? 0;
    const history =
      assembly instanceof SynthesisError
        ? refusedAtSynth(release, assembly.message, this.#releases.at(-1), clock.now())
        : await this.#deploy(release, assembly, next);
    const tone = history.verdict === history.expected ? 'success' : 'failure';
    this.#progress.log(release.name, `${history.verdict.replace('_', ' ')}: ${history.reason}`, tone);
    const share = release.traffic?.minShare ?? 1 / this.#scenario.releases.length;
    await this.#workload?.sendShare(release, tasksBefore, share, next === undefined);
    this.#releases.push({ ...history, candidateBacklog: await this.#candidateBacklog() });
  }

  async #synthesize(release: ScenarioRelease): Promise<string> {
    const { options, synthesizer } = this.#deps;
    const app = release.app ?? this.#scenario.app ?? options.app ?? (await synthesizer.defaultApp());
    if (app === undefined) {
      throw new DrillError(
        `${options.directory} has no app to rehearse: give the command that synthesizes it with --app, or in cdk.json`,
      );
    }
    return await synthesizer.synthesize({ app, context: release.context ?? {}, environment: release.env ?? {} });
  }

  async #deploy(
    release: ScenarioRelease,
    assembly: string,
    next: ScenarioRelease | undefined,
  ): Promise<ReleaseHistory> {
    const { cloud, watcher } = this.#deps;
    const stack = this.#chooseStack(release, assembly);
    const { stackName } = stack;
    const first = this.#agent === undefined;
    if (release.traffic?.paused) {
      await this.#workload?.pause();
    }
    const removeFaults = (release.faults ?? []).map((fault) =>
      cloud.failResource(fault.resource, fault.reason, fault.operation),
    );
    const earlierDeployments = new Set(cloud.deployments().map(({ id }) => id));
    const startedAt = cloud.clock.now();
    watcher.begin(release.name, first ? [] : gatesOf(cloud.resources(stackName)));
    this.#progress.log(release.name, `deploying release ${stack.releases[0]}`);
    const deploying = cloud.deploy(assembly, stackName);
    if (next !== undefined) {
      this.#synthesize(next).catch(() => undefined); // Prepared ahead: the error is thrown when the release is due.
    }
    const result = await abortable(deploying, this.#signal);
    for (const remove of removeFaults) {
      remove();
    }
    const endedAt = cloud.clock.now();
    if (result.status === 'CREATE_COMPLETE') {
      await this.#startAfterFirstDeployment(startedAt);
    }
    return releaseHistory({
      release,
      id: stack.releases[0],
      first,
      result,
      shift: cloud.deployments().find(({ id }) => !earlierDeployments.has(id)),
      startedAt,
      endedAt,
      promoted: this.#agent === undefined ? undefined : await promotedItem(cloud, this.#agent),
      gates: gatesOf(cloud.resources(stackName)),
      readings: first ? [] : watcher.readingsAtDecision(),
      flagsDeployed: cloud
        .configurationDeployments()
        .some(({ startedAt: at, shares }) => at >= startedAt && shares.some(({ percent }) => percent > 0)),
      hookFailure: hookFailure(cloud, stackName, startedAt),
      speed: cloud.clock.speed,
    });
  }

  #chooseStack(release: ScenarioRelease, assembly: string): StackInAssembly {
    const stack = chooseAgentStack(stacksOf(assembly), this.#scenario.stack);
    if (this.#stackName !== '' && this.#stackName !== stack.stackName) {
      throw new DrillError(
        `release ${release.name} is in stack ${stack.stackName}, expected ${this.#stackName} as for the earlier releases: the releases of a scenario are updates of one stack`,
      );
    }
    this.#stackName = stack.stackName;
    return stack;
  }

  /** Sets the secrets, sends the probe, and prepares the traffic, once the stack exists. */
  async #startAfterFirstDeployment(since: number): Promise<void> {
    const { cloud, keys, seed } = this.#deps;
    const scenario = this.#scenario;
    const progress = this.#progress;
    const signal = this.#signal;
    const access = this.#access;
    const resources = cloud.resources(this.#stackName);
    const agent = findAgent(this.#stackName, cloud.stackOutputs(this.#stackName), resources);
    this.#agent = agent;
    const secrets = resources.filter(({ type }) => type === 'AWS::SecretsManager::Secret');
    const unmatched = await fillSecrets(access, scenario.secrets ?? [], secrets);
    if (unmatched.length > 0 && secrets.length > 0) {
      progress.log('', `no secret of the stack matches ${unmatched.join(', ')}`, 'failure');
    }
    if (scenario.rotation !== undefined && keys !== undefined) {
      const deps = { plan: scenario.rotation, keys, cloud, access, progress, signal };
      this.#rotator = await SecretRotator.begin(deps, secrets);
    }
    if (this.#deps.options.probe) {
      await this.#probe(agent);
    }
    if (scenario.traffic !== undefined) {
      this.#workload = await this.#createWorkload(agent, scenario.traffic);
    }
    this.#workers = ContainerWorkers.of({ cloud, agent, access, scenario, progress, signal, since });
    await this.#workers?.beforeLoad();
    this.#rotator?.start(() => this.#workload?.tasks ?? 0, scenario.traffic?.tasks ?? 0);
    cloud.tables.observe(agent.tasksTable, this.#writes.onWrite);
    if (scenario.chaos !== undefined) {
      this.#injectFaults(scenario.chaos, agent, resources);
      progress.log('', `injecting faults from now on, by the plan of seed ${seed}`);
    }
  }

  async #probe(agent: AgentUnderTest): Promise<void> {
    const { kind, reason } = await sendProbe(this.#access, agent, this.#deps.cloud.clock, this.#signal);
    switch (kind) {
      case 'passed':
        this.#progress.log('', reason, 'success');
        break;
      case 'unanswered':
        this.#progress.log('', `the probe reached the agent, which could not use the scripted answer "ok": ${reason}`);
        break;
      case 'failed':
        throw new DrillError(`the probe failed: ${reason}`);
    }
  }

  async #createWorkload(agent: AgentUnderTest, traffic: NonNullable<Scenario['traffic']>): Promise<Workload> {
    const { cloud, receiver, limits, seed } = this.#deps;
    const callerCredentials = callerCredentialsFor(cloud, this.#stackName, traffic.callerRole);
    const secret = await webhookSecret(this.#access, cloud.stackOutputs(this.#stackName));
    if (secret !== undefined) {
      receiver.verifyWith(secret);
    }
    return new Workload({
      cloud,
      agent,
      traffic,
      callerCredentials,
      seed,
      progress: this.#progress,
      signal: this.#signal,
      webhookUrl: receiver.url,
      retryUntilAnswered: this.#scenario.chaos !== undefined,
      isBacklogUnlimited: () => limits.isBudgetNearlyExhausted,
    });
  }

  #injectFaults(
    rates: NonNullable<Scenario['chaos']>,
    agent: AgentUnderTest,
    resources: readonly PlacedResource[],
  ): void {
    const { cloud } = this.#deps;
    const { functions, workers } = dataPlaneOf(resources, agent.queues);
    const { leaseMs } = leaseTimes({ [Env.CLOCK]: JSON.stringify(cloud.clock.settings()) });
    cloud.faults.begin({ rates, functions, workers, leaseMs, isHeartbeat, isExempt: hasProbe });
  }

  /** Waits until the candidate lane is empty. @returns the number of messages that remain in it */
  async #candidateBacklog(): Promise<number> {
    const { cloud } = this.#deps;
    const agent = this.#agent;
    if (agent === undefined) {
      return 0;
    }
    const remaining = () => messagesIn(cloud, agent.queues, 'candidate');
    const wait = this.#scenario.chaos === undefined ? LANE_EMPTY_WAIT : LANE_EMPTY_WAIT_WITH_FAULTS;
    await until(() => remaining() === 0, this.#realMs(wait), this.#signal);
    return remaining();
  }

  /** Stops the traffic, and waits until every task is final or the maximum wait is over. */
  async #drain(): Promise<readonly TaskRecord[]> {
    const { cloud } = this.#deps;
    const agent = this.#agent;
    await this.#workload?.pause();
    // The system must recover from the faults without further ones.
    cloud.faults.end();
    if (agent === undefined) {
      return [];
    }
    const maxWaitMs = this.#realMs(DRAIN_WAIT);
    const deadline = performance.now() + maxWaitMs;
    const overBudget = this.#scenario.budget !== undefined;
    if (!overBudget) {
      await until(() => messagesIn(cloud, agent.queues) === 0, maxWaitMs, this.#signal);
    }
    const isDone = (task: TaskRecord) => isFinalAndNotified(task) || (overBudget && waitsForNextDay(task));
    let tasks = await liveTasks(cloud, agent);
    while (!tasks.every(isDone) && performance.now() < deadline) {
      await pause(POLL_MS * 5, this.#signal);
      tasks = await liveTasks(cloud, agent);
    }
    if (tasks.length > 0) {
      this.#progress.log('', `traffic ended: ${tasks.length} tasks, ${tasks.filter(isFinal).length} final`);
    }
    return tasks;
  }

  /** What the agents executed, if they log it. */
  async #stepHistory(since: number): Promise<StepHistory | undefined> {
    const { cloud, executionLog } = this.#deps;
    const agent = this.#agent;
    const executions = executionLog.executions(cloud.faults.freezeWindows);
    if (agent === undefined || executions.length === 0) {
      return undefined;
    }
    return {
      executed: executions.length,
      replayed: (await sumOf(WorkerMetric.REPLAYED_STEPS, this.#access, agent.name, since, cloud.clock.now())) ?? 0,
      executedAfterFinish: this.#writes.repeatedExecutions(executions),
    };
  }

  async #destroy(): Promise<DrillHistory['destruction']> {
    if (this.#agent === undefined) {
      // The first deployment failed, and CloudFormation has deleted its resources.
      return { completed: true, failures: [], leftovers: [], retained: [] };
    }
    this.#progress.log('', 'destroying the stack');
    return await abortable(destroyStack(this.#deps.cloud, this.#stackName), this.#signal);
  }

  #realMs({ cloudMs, minRealMs }: Wait): number {
    return Math.max(minRealMs, cloudMs / this.#deps.cloud.clock.speed);
  }
}

/** Final, and the requested webhook is delivered or abandoned. */
function isFinalAndNotified(task: TaskRecord): boolean {
  const isNotified =
    task.webhook === undefined || task.webhookDeliveredAt !== undefined || task.webhookAbandonedAt !== undefined;
  return isFinal(task) && isNotified;
}
