import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { bucketOf } from '../../lambda/router/valve';
import {
  ControlKey,
  promotedItemSchema,
  TASKS_PATH,
  type TaskRecord,
  taskRecordSchema,
  taskResponseSchema,
} from '../../lib/contract';
import { type CloudEvent, type DeploymentView, type DeployResult, RehearsalCloud } from '../cloud';
import type { Credentials } from '../core/ports';
import { seededRandom } from '../core/random';
import { REHEARSAL_REGION } from '../core/resource';
import { ScriptedProvider } from '../provider';
import { chooseAgentStack, DrillError, stacksOf } from './agent-stack';
import { type AgentUnderTest, findAgent } from './agent-under-test';
import { ApiClient } from './api-client';
import { CloudWatcher } from './cloud-watcher';
import { describeGate, gatesOf } from './gates';
import type { Destruction, DrillHistory, GateReading, Read, ReleaseHistory } from './history';
import { hookFinding } from './hook-finding';
import { isFinal } from './invariants/tasks';
import { countResults } from './observed-metrics';
import type { OperatorAccess } from './operator-access';
import { type DeploymentFacts, outcomeOf, shiftSecondsOf, valvePeriods } from './outcome';
import { sendProbe } from './probe';
import type { Progress } from './progress';
import { buildReport, type DrillReport } from './report';
import { DEFAULT_SEED, DEFAULT_SPEED, type Scenario, type ScenarioRelease } from './scenario';
import { createSecrets, fillSecrets } from './secrets';
import { SynthesisError, Synthesizer } from './synthesizer';
import { TrafficGenerator } from './traffic';
import { TrafficPlan } from './traffic-plan';

export interface DrillOptions {
  readonly scenario: Scenario;
  /** Folder of the app, with its cdk.json. */
  readonly directory: string;
  /** Command that synthesizes the app, when neither release nor scenario names one. @default "app" in cdk.json */
  readonly app?: string;
  /** @default the scenario's, else 60 */
  readonly speed?: number;
  /** @default the scenario's, else 1 */
  readonly seed?: number;
  /** Folder in which assemblies, events, tables and report are left for inspection. */
  readonly keep?: string;
  /** Sends a probe task after the first deployment. */
  readonly probe?: boolean;
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

/** Real milliseconds between two looks at something that is waited for. */
const POLL_MS = 100;
/** Real milliseconds between two lines about the traffic. */
const TRAFFIC_LINE_MS = 5_000;
/** Longest wait for tasks that are under way when the traffic has ended: cloud time, and at least so much real time. */
const DRAIN_CLOUD_MS = 40 * 60_000;
const DRAIN_REAL_MS = 15_000;
/** Longest wait for the candidate lane to run empty after a deployment, likewise. */
const LANE_EMPTY_CLOUD_MS = 15 * 60_000;
const LANE_EMPTY_REAL_MS = 5_000;
const DEFAULT_READS = 0.02;

/** Runs a scenario and judges it. @throws DrillError or SynthesisError when it cannot be run */
export async function runDrill(options: DrillOptions): Promise<DrillReport> {
  const run = new DrillRun(options);
  try {
    return await run.run();
  } finally {
    await run.stop();
  }
}

class DrillRun {
  private readonly started = performance.now();
  private readonly scenario: Scenario;
  private readonly speed: number;
  private readonly seed: number;
  private readonly progress: Progress;
  private readonly releases: ReleaseHistory[] = [];
  private readonly events: CloudEvent[] = [];
  private readonly watcher: CloudWatcher;
  private workspace = '';
  private cloudOrNone: RehearsalCloud | undefined;
  private providerOrNone: ScriptedProvider | undefined;
  private synthesizer: Synthesizer | undefined;
  private client: ApiClient | undefined;
  private traffic: TrafficGenerator | undefined;
  private agent: AgentUnderTest | undefined;
  private stackName = '';
  private trafficLine: NodeJS.Timeout | undefined;

  constructor(private readonly options: DrillOptions) {
    this.scenario = options.scenario;
    this.speed = options.speed ?? options.scenario.speed ?? DEFAULT_SPEED;
    this.seed = options.seed ?? options.scenario.seed ?? DEFAULT_SEED;
    this.progress = options.progress;
    this.watcher = new CloudWatcher(options.progress, (event) => {
      if (options.keep !== undefined) {
        this.events.push(event);
      }
    });
  }

  async run(): Promise<DrillReport> {
    const { signal } = this.options;
    await this.prepare();
    for (const [index, release] of this.scenario.releases.entries()) {
      signal.throwIfAborted();
      await this.rehearse(release, this.scenario.releases[index + 1]);
    }
    const tasks = await this.drain();
    const reads = await this.readBack(tasks);
    const observed = await this.observe();
    const destruction = await this.destroy();
    const history: DrillHistory = {
      agent: this.agent?.name ?? '',
      speed: this.speed,
      submissions: this.traffic?.submissions ?? [],
      tasks,
      releases: this.releases,
      reads,
      destruction,
      bucketOf: (routerVersion, user) => bucketOf(this.agent?.name ?? '', routerVersion, user),
      ...observed,
    };
    const report = buildReport(history, {
      scenario: this.scenario.name,
      seed: this.seed,
      wallSeconds: (performance.now() - this.started) / 1000,
    });
    await this.leaveBehind(report, history);
    return report;
  }

  async stop(): Promise<void> {
    clearInterval(this.trafficLine);
    await this.traffic?.pause();
    this.client?.close();
    await this.cloudOrNone?.stop();
    await this.providerOrNone?.stop();
    if (this.options.keep === undefined && this.workspace !== '') {
      await rm(this.workspace, { recursive: true, force: true });
    }
  }

  private get cloud(): RehearsalCloud {
    if (this.cloudOrNone === undefined) {
      throw new Error('the cloud has not been started');
    }
    return this.cloudOrNone;
  }

  private get provider(): ScriptedProvider {
    if (this.providerOrNone === undefined) {
      throw new Error('the provider has not been started');
    }
    return this.providerOrNone;
  }

  private get access(): OperatorAccess {
    return {
      endpoint: this.cloud.frontUrl,
      region: REHEARSAL_REGION,
      credentials: this.cloud.operatorCredentials,
    };
  }

  private async prepare(): Promise<void> {
    const { keep, directory, signal } = this.options;
    this.workspace = keep === undefined ? await mkdtemp(join(tmpdir(), 'agent-lanes-drill-')) : resolve(keep);
    await mkdir(this.workspace, { recursive: true });
    this.synthesizer = new Synthesizer({ directory, output: join(this.workspace, 'assemblies'), signal });
    this.progress.say('', `${this.scenario.name}: ${this.scenario.releases.map(({ name }) => name).join(', ')}`);
    const first = this.scenario.releases[0];
    if (first !== undefined) {
      this.synthesize(first).catch(() => undefined); // Runs while the cloud starts; awaited in rehearse().
    }
    this.providerOrNone = await ScriptedProvider.start({
      rules: this.scenario.provider?.rules ?? [{ name: 'ok' }],
      seed: this.seed,
    });
    this.cloudOrNone = await RehearsalCloud.start({
      speed: this.speed,
      seed: this.seed,
      extraEnvironment: { ANTHROPIC_BASE_URL: this.provider.url },
      onEvent: this.watcher.onEvent,
      ...(keep === undefined ? {} : { logDirectory: join(this.workspace, 'logs') }),
    });
    this.watcher.attach(this.cloud);
    await createSecrets(this.access, this.scenario.secrets ?? []);
  }

  private async synthesize(release: ScenarioRelease): Promise<string> {
    const synthesizer = this.synthesizer;
    const app = release.app ?? this.scenario.app ?? this.options.app ?? (await synthesizer?.defaultApp());
    if (synthesizer === undefined || app === undefined) {
      throw new DrillError(
        `no app to rehearse in ${this.options.directory}: give the command that synthesizes it with --app, or in cdk.json`,
      );
    }
    return await synthesizer.synthesize({ app, context: release.context ?? {}, environment: release.env ?? {} });
  }

  /** Deploys one release under traffic, and waits until enough of it has been seen. */
  private async rehearse(release: ScenarioRelease, next: ScenarioRelease | undefined): Promise<void> {
    const assembly = await this.synthesize(release).catch((error: unknown) => {
      if (error instanceof SynthesisError && release.expected === 'refused' && !this.options.signal.aborted) {
        return error;
      }
      throw error;
    });
    const tasksBefore = this.traffic?.tasks ?? 0;
    if (assembly instanceof SynthesisError) {
      this.releases.push(this.refusedAtSynth(release, assembly));
      this.progress.say(release.name, `refused at synth: ${assembly.message.split('\n').at(-1)}`, 'bad');
    } else {
      await this.deploy(release, assembly, next);
    }
    await this.sendShare(release, tasksBefore);
    await this.noteCandidateBacklog();
  }

  private async deploy(release: ScenarioRelease, assembly: string, next: ScenarioRelease | undefined): Promise<void> {
    const stack = chooseAgentStack(stacksOf(assembly), this.scenario.stack);
    if (this.stackName !== '' && this.stackName !== stack.stackName) {
      throw new DrillError(
        `release ${release.name} is in stack ${stack.stackName}, the ones before were in ${this.stackName}`,
      );
    }
    this.stackName = stack.stackName;
    const first = this.agent === undefined;
    if (release.traffic?.quiet) {
      await this.traffic?.pause();
    }
    const disarm = (release.faults ?? []).map((fault) =>
      this.cloud.failResource(fault.resource, fault.reason, fault.when),
    );
    const known = new Set(this.cloud.deployments().map(({ id }) => id));
    const startedAt = this.cloud.clock.now();
    this.watcher.begin(release.name, first ? [] : gatesOf(this.cloud.resources(this.stackName)));
    this.progress.say(release.name, `deploying release ${stack.releases[0]}`);
    const deploying = this.cloud.deploy(assembly, this.stackName);
    if (next !== undefined) {
      this.synthesize(next).catch(() => undefined); // Awaited when it is its turn.
    }
    const result = await deploying;
    for (const undo of disarm) {
      undo();
    }
    const endedAt = this.cloud.clock.now();
    const shift = this.cloud.deployments().find(({ id }) => !known.has(id));
    if (result.status === 'CREATE_COMPLETE') {
      await this.meetAgent();
    }
    const history = await this.historyOf(release, stack.releases[0], first, result, shift, startedAt, endedAt);
    this.releases.push(history);
    const tone = history.verdict === history.expected ? 'good' : 'bad';
    this.progress.say(release.name, `${history.verdict.replace('_', ' ')}: ${history.reason}`, tone);
  }

  private async historyOf(
    release: ScenarioRelease,
    id: string | undefined,
    first: boolean,
    result: DeployResult,
    shift: DeploymentView | undefined,
    startedAt: number,
    endedAt: number,
  ): Promise<ReleaseHistory> {
    const promoted = await this.promoted();
    const gates =
      this.cloud.resources(this.stackName).length === 0 ? [] : gatesOf(this.cloud.resources(this.stackName));
    const stoppedBy = (shift?.alarms ?? []).map((alarm) => gates.find((gate) => gate.alarm === alarm)?.name ?? alarm);
    const readings = first ? [] : this.watcher.decided();
    const facts: DeploymentFacts = {
      status: result.status,
      failure: result.reason,
      startedAt,
      endedAt,
      shift:
        shift === undefined
          ? undefined
          : {
              steps: shift.shifts,
              endedAt: shift.endedAt,
              stoppedFor: this.stoppedFor(shift, stoppedBy, readings, startedAt),
            },
      promotedAt:
        promoted?.target.release === id && promoted !== undefined && promoted.promotedAt >= startedAt
          ? promoted.promotedAt
          : undefined,
    };
    return {
      name: release.name,
      id,
      expected: release.expected,
      because: release.because,
      mustBeUnchanged: release.unchanged ?? false,
      ...outcomeOf(facts),
      promotedAfter: promoted?.target.release,
      first,
      changed: result.changes.map((change) => `${change.path} (${change.action})`),
      startedAt,
      endedAt,
      routerVersion: shift?.toVersion,
      valve: valvePeriods(facts),
      stackStatus: result.status,
      stoppedBy,
      gates: readings,
      shiftSeconds: shiftSecondsOf(facts, this.speed),
      candidateBacklog: 0,
    };
  }

  /** The gates with what they said, or the finding of the hook that failed. */
  private stoppedFor(
    shift: DeploymentView,
    stoppedBy: readonly string[],
    readings: readonly GateReading[],
    startedAt: number,
  ): readonly string[] {
    if (stoppedBy.length > 0) {
      return stoppedBy.map((name) => {
        const reading = readings.find((candidate) => candidate.name === name);
        return reading === undefined ? `gate ${name} in ALARM` : describeGate(reading);
      });
    }
    const hook = shift.lifecycle.find(({ status, name }) => status === 'Failed' && name !== 'AllowTraffic');
    const finding = hook === undefined ? undefined : hookFinding(this.cloud, this.stackName, startedAt);
    return hook === undefined || finding === undefined ? [] : [`${hook.name}: ${finding}`];
  }

  private refusedAtSynth(release: ScenarioRelease, error: SynthesisError): ReleaseHistory {
    const now = this.cloud.clock.now();
    return {
      name: release.name,
      id: undefined,
      expected: release.expected,
      because: release.because,
      mustBeUnchanged: release.unchanged ?? false,
      verdict: 'refused',
      reason: error.message,
      promotedAfter: this.releases.at(-1)?.promotedAfter,
      first: this.agent === undefined,
      changed: [],
      startedAt: now,
      endedAt: now,
      routerVersion: undefined,
      valve: [{ share: 0, from: now, to: Number.POSITIVE_INFINITY }],
      stackStatus: 'NO_CHANGES',
      stoppedBy: [],
      gates: [],
      shiftSeconds: 0,
      candidateBacklog: 0,
    };
  }

  /** Once the stack is there: finds the agent, puts secrets in, gets the traffic ready. */
  private async meetAgent(): Promise<void> {
    const { scenario, cloud } = this;
    const resources = cloud.resources(this.stackName);
    this.agent = findAgent(this.stackName, cloud.stackOutputs(this.stackName), resources);
    const secrets = resources.filter(({ type }) => type === 'AWS::SecretsManager::Secret');
    const unmatched = await fillSecrets(this.access, scenario.secrets ?? [], secrets);
    if (unmatched.length > 0 && secrets.length > 0) {
      this.progress.say('', `no secret of the stack is named like ${unmatched.join(', ')}`, 'bad');
    }
    const now = () => cloud.clock.now();
    if (this.options.probe) {
      const verdict = await sendProbe(this.access, this.agent, cloud.clock, this.options.signal);
      if (!verdict.passed) {
        throw new DrillError(`the probe did not come through: ${verdict.reason}`);
      }
      this.progress.say('', verdict.reason, 'good');
    }
    if (scenario.traffic !== undefined) {
      this.client = new ApiClient(this.agent.endpoint, this.callerCredentials(), now);
      const plan = new TrafficPlan(scenario.traffic, this.seed);
      const { ratePerSecond, maxWaiting = Math.max(20, Math.ceil(ratePerSecond)) } = scenario.traffic;
      this.traffic = new TrafficGenerator(
        plan,
        this.client,
        ratePerSecond,
        now,
        () => this.waitingMessages() >= maxWaiting,
      );
    }
  }

  private callerCredentials(): Credentials {
    const caller = this.scenario.traffic?.caller;
    if (caller === undefined) {
      return this.cloud.operatorCredentials;
    }
    const roles = this.cloud.resources(this.stackName).filter(({ type }) => type === 'AWS::IAM::Role');
    const role = roles.find(
      ({ logicalId, path }) => logicalId === caller || path === caller || path === `${caller}/Resource`,
    );
    const arn = role?.attributes.Arn;
    if (arn === undefined) {
      throw new DrillError(
        `traffic.caller: no role ${caller} in stack ${this.stackName}: expected one of ${roles.map(({ path }) => path).join(', ')}`,
      );
    }
    return this.cloud.iam.sessionFor(String(arn), 'caller');
  }

  /** Sends tasks until this release has had its share of the traffic. */
  private async sendShare(release: ScenarioRelease, tasksBefore: number): Promise<void> {
    const { traffic, scenario } = this;
    if (traffic === undefined || scenario.traffic === undefined || release.traffic?.quiet) {
      return;
    }
    const isLast = scenario.releases.at(-1) === release;
    const share = release.traffic?.minShare ?? 1 / scenario.releases.length;
    const ownShare = tasksBefore + Math.ceil(share * scenario.traffic.tasks);
    const enough = isLast ? Math.max(scenario.traffic.tasks, ownShare) : ownShare;
    this.startTraffic();
    await this.until(() => traffic.tasks >= enough, Number.POSITIVE_INFINITY);
  }

  private startTraffic(): void {
    const { traffic } = this;
    if (traffic === undefined || traffic.running) {
      return;
    }
    traffic.start();
    this.progress.say(
      '',
      `traffic: ${this.scenario.traffic?.ratePerSecond} tasks/s by ${this.scenario.traffic?.users} users`,
    );
    if (this.trafficLine === undefined) {
      let before = traffic.tasks;
      this.trafficLine = setInterval(() => {
        const rate = (traffic.tasks - before) / (TRAFFIC_LINE_MS / 1000);
        before = traffic.tasks;
        if (rate > 0) {
          this.progress.say(
            '',
            `${traffic.tasks} tasks sent, ${rate.toFixed(0)}/s, ${this.waitingMessages()} waiting`,
            'dim',
          );
        }
      }, TRAFFIC_LINE_MS);
      this.trafficLine.unref();
    }
  }

  private waitingMessages(lane?: 'stable' | 'candidate'): number {
    const { queues } = this.agent ?? {};
    if (queues === undefined) {
      return 0;
    }
    const lanes = lane === undefined ? [queues.stable, queues.candidate] : [queues[lane]];
    const urls = new Set(lanes.flatMap((urlsOfLane) => Object.values(urlsOfLane)));
    return this.cloud
      .queues()
      .filter(({ url }) => urls.has(url))
      .reduce((sum, queue) => sum + queue.visible + queue.inFlight + queue.delayed, 0);
  }

  /** Gives the candidate lane time to run empty, and writes down what is left in it. */
  private async noteCandidateBacklog(): Promise<void> {
    await this.until(
      () => this.waitingMessages('candidate') === 0,
      Math.max(LANE_EMPTY_REAL_MS, LANE_EMPTY_CLOUD_MS / this.speed),
    );
    const last = this.releases.pop();
    if (last !== undefined) {
      this.releases.push({ ...last, candidateBacklog: this.waitingMessages('candidate') });
    }
  }

  /** Ends the traffic and waits until every task is final, or long enough to say that it is lost. */
  private async drain(): Promise<readonly TaskRecord[]> {
    clearInterval(this.trafficLine);
    await this.traffic?.pause();
    if (this.agent === undefined) {
      return [];
    }
    const limit = Math.max(DRAIN_REAL_MS, DRAIN_CLOUD_MS / this.speed);
    const deadline = performance.now() + limit;
    await this.until(() => this.waitingMessages() === 0, limit);
    let tasks = await this.tasks();
    while (!tasks.every(isFinal) && performance.now() < deadline) {
      await this.pause(POLL_MS * 5);
      tasks = await this.tasks();
    }
    if (tasks.length > 0) {
      this.progress.say('', `traffic ended: ${tasks.length} tasks, ${tasks.filter(isFinal).length} final`);
    }
    return tasks;
  }

  private async tasks(): Promise<readonly TaskRecord[]> {
    const items = await this.cloud.tables.scan(this.agent?.tasksTable ?? '');
    return items.map((item) => taskRecordSchema.parse(item)).filter((task) => task.mode === 'live');
  }

  private async promoted() {
    if (this.agent === undefined) {
      return undefined;
    }
    const items = await this.cloud.tables.scan(this.agent.controlTable);
    const item = items.find(({ pk, sk }) => pk === ControlKey.promoted.pk && sk === ControlKey.promoted.sk);
    return item === undefined ? undefined : promotedItemSchema.parse(item);
  }

  /** Reads a sample of the tasks through the API, as their callers would. */
  private async readBack(tasks: readonly TaskRecord[]): Promise<readonly Read[]> {
    const { client } = this;
    const share = this.scenario.traffic?.reads ?? DEFAULT_READS;
    const random = seededRandom(`reads/${this.seed}`);
    const reads: Read[] = [];
    for (const task of tasks) {
      if (client !== undefined && random() < share) {
        const { status, body } = await client.send('GET', `${TASKS_PATH}/${task.id}`);
        const answer = taskResponseSchema.safeParse(body);
        reads.push({ taskId: task.id, status, ...(answer.success ? { taskStatus: answer.data.status } : {}) });
      }
    }
    return reads;
  }

  /** What can be asked only while the stack is there. */
  private async observe() {
    const { cloud, agent } = this;
    const firstStart = this.releases[0]?.startedAt ?? cloud.clock.now();
    const control = agent === undefined ? [] : await cloud.tables.scan(agent.controlTable);
    const counts = this.provider.counts();
    return {
      resultsWritten:
        agent === undefined ? undefined : await countResults(this.access, agent.name, firstStart, cloud.clock.now()),
      recordedReleases: control.flatMap(({ pk, sk }) => {
        const id = /^RELEASE#(.+)$/.exec(String(pk))?.[1];
        return id !== undefined && sk === ControlKey.release(id).sk ? [id] : [];
      }),
      authorisation: cloud.iam.statistics(),
      alarms: cloud.alarms().map(({ name, hadData }) => ({ name, hadData })),
      provider: {
        requests: counts.reduce((sum, { requests }) => sum + requests, 0) + this.provider.unmatched(),
        unmatched: this.provider.unmatched(),
      },
      malformedMetricLines: cloud.malformedMetricLines(),
    };
  }

  private async destroy(): Promise<Destruction | undefined> {
    if (this.agent === undefined) {
      return { completed: true, failures: [], leftovers: [], retained: [] };
    }
    this.progress.say('', 'destroying the stack');
    const { status, retained, failures } = await this.cloud.destroy(this.stackName);
    const kept = new Set(retained.map(({ physicalId }) => physicalId));
    const leftovers = [
      ...this.cloud
        .queues()
        .filter(({ name, arn, url }) => ![name, arn, url].some((id) => kept.has(id)))
        .map(({ name }) => `queue ${name}`),
      ...this.cloud.tables
        .names()
        .filter((name) => !kept.has(name))
        .map((name) => `table ${name}`),
    ];
    return {
      completed: status === 'DELETE_COMPLETE',
      failures: failures.map(({ path, reason }) => `${path}: ${reason}`),
      leftovers,
      retained: retained.map(({ path }) => path),
    };
  }

  /** For `--keep`: what the cloud knew, as files. Assemblies are there already. */
  private async leaveBehind(report: DrillReport, history: DrillHistory): Promise<void> {
    if (this.options.keep === undefined) {
      return;
    }
    const write = (name: string, value: unknown) =>
      writeFile(join(this.workspace, name), `${JSON.stringify(value, null, 2)}\n`);
    await write('report.json', report);
    await write('history.json', history);
    await writeFile(
      join(this.workspace, 'events.jsonl'),
      this.events.map((event) => `${JSON.stringify(event)}\n`).join(''),
    );
    if (this.agent !== undefined && this.cloud.tables.names().includes(this.agent.controlTable)) {
      await write('control-table.json', await this.cloud.tables.scan(this.agent.controlTable));
    }
  }

  /** Waits until the condition holds, or for so many real milliseconds. */
  private async until(condition: () => boolean, limitMs: number): Promise<void> {
    const deadline = performance.now() + limitMs;
    while (!condition() && performance.now() < deadline) {
      await this.pause(POLL_MS);
    }
  }

  private async pause(milliseconds: number): Promise<void> {
    this.options.signal.throwIfAborted();
    await new Promise((done) => setTimeout(done, milliseconds));
    this.options.signal.throwIfAborted();
  }
}
