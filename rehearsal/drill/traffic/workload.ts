import { TASKS_PATH, type TaskRecord, taskResponseSchema } from '../../../lib/contract';
import type { RehearsalCloud } from '../../cloud';
import type { Credentials } from '../../core/principal';
import { seededRandom } from '../../core/random';
import { messagesIn } from '../observe/lane-queues';
import { until } from '../observe/wait';
import type { Cancellation, Read, Submission } from '../report/history';
import type { Progress } from '../report/progress';
import { DrillError } from '../scenario/agent-stack';
import type { AgentUnderTest } from '../scenario/agent-under-test';
import type { ScenarioRelease, Traffic } from '../scenario/scenario';
import { ApiClient, RETRY_UNTIL_ANSWERED, RETRY_WHEN_THROTTLED } from './api-client';
import { TrafficGenerator } from './traffic';
import { TrafficPlan } from './traffic-plan';

export interface WorkloadDeps {
  readonly cloud: RehearsalCloud;
  readonly agent: AgentUnderTest;
  readonly traffic: Traffic;
  readonly callerCredentials: Credentials;
  readonly seed: number;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** Whether callers retry requests without an answer, each with an idempotency key. @default they retry throttled requests only */
  readonly retryUntilAnswered?: boolean;
  /** Whether the backlog of the queues is unlimited now. @default - it is limited */
  readonly isBacklogUnlimited?: () => boolean;
  /** URL of the callers' webhook receiver. @default - no request asks for a webhook */
  readonly webhookUrl?: string;
}

/** Interval of the progress lines, in real milliseconds. */
const PROGRESS_INTERVAL_MS = 5_000;
const DEFAULT_MIN_QUEUED_TASKS = 20;
const DEFAULT_READ_SHARE = 0.02;

/** The scenario's traffic to the deployed agent. */
export class Workload {
  readonly #deps: WorkloadDeps;
  readonly #client: ApiClient;
  readonly #generator: TrafficGenerator;
  #progressTimer: NodeJS.Timeout | undefined;

  constructor(deps: WorkloadDeps) {
    this.#deps = deps;
    const { cloud, agent, traffic, callerCredentials, seed, retryUntilAnswered = false, webhookUrl } = deps;
    const now = () => cloud.clock.now();
    const maxQueuedTasks =
      traffic.maxQueuedTasks ?? Math.max(DEFAULT_MIN_QUEUED_TASKS, Math.ceil(traffic.ratePerSecond));
    this.#client = new ApiClient(agent.endpoint, callerCredentials, now);
    this.#generator = new TrafficGenerator({
      plan: new TrafficPlan(traffic, seed, { idempotent: retryUntilAnswered, webhookUrl }),
      client: this.#client,
      ratePerRealSecond: traffic.ratePerSecond,
      now,
      isBacklogFull: (inFlight) =>
        deps.isBacklogUnlimited?.() !== true && messagesIn(cloud, agent.queues) + inFlight >= maxQueuedTasks,
      retryPolicy: retryUntilAnswered ? RETRY_UNTIL_ANSWERED : RETRY_WHEN_THROTTLED,
    });
  }

  get submissions(): readonly Submission[] {
    return this.#generator.submissions;
  }

  get cancellations(): readonly Cancellation[] {
    return this.#generator.cancellations;
  }

  /** Number of tasks sent so far, without repeats. */
  get tasks(): number {
    return this.#generator.tasks;
  }

  /**
   * Sends tasks until the release has had its share of the traffic. The traffic continues afterwards.
   *
   * @param tasksBefore number of tasks that had been sent when the deployment started
   * @param share of all tasks, 0 to 1
   */
  async sendShare(release: ScenarioRelease, tasksBefore: number, share: number, isLast: boolean): Promise<void> {
    if (release.traffic?.paused) {
      return;
    }
    const { traffic, signal } = this.#deps;
    const ownShare = tasksBefore + Math.ceil(share * traffic.tasks);
    const enough = isLast ? Math.max(traffic.tasks, ownShare) : ownShare;
    this.#start();
    await until(() => this.tasks >= enough, Number.POSITIVE_INFINITY, signal);
  }

  /** Stops sending, and waits for the responses to requests in flight. */
  async pause(): Promise<void> {
    clearInterval(this.#progressTimer);
    this.#progressTimer = undefined;
    await this.#generator.pause();
  }

  /** Closes the connections without waiting for responses. */
  async stop(): Promise<void> {
    const paused = this.pause();
    this.#client.close();
    await paused;
  }

  /** Reads a sample of the tasks through the API. */
  async readTasks(tasks: readonly TaskRecord[]): Promise<readonly Read[]> {
    const { traffic, seed } = this.#deps;
    const random = seededRandom(`reads/${seed}`);
    const reads: Read[] = [];
    for (const task of tasks) {
      if (random() < (traffic.readShare ?? DEFAULT_READ_SHARE)) {
        const { status, body } = await this.#client.send('GET', `${TASKS_PATH}/${task.id}`);
        const answer = taskResponseSchema.safeParse(body);
        reads.push({ taskId: task.id, status, ...(answer.success ? { taskStatus: answer.data.status } : {}) });
      }
    }
    return reads;
  }

  #start(): void {
    const { cloud, agent, traffic, progress } = this.#deps;
    if (this.#generator.isRunning) {
      return;
    }
    this.#generator.start();
    progress.log('', `traffic: ${traffic.ratePerSecond} tasks/s by ${traffic.users} users`);
    let before = this.tasks;
    this.#progressTimer = setInterval(() => {
      const rate = ((this.tasks - before) / PROGRESS_INTERVAL_MS) * 1000;
      before = this.tasks;
      const waiting = messagesIn(cloud, agent.queues);
      progress.log('', `${this.tasks} tasks sent, ${rate.toFixed(0)}/s, ${waiting} waiting`, 'dim');
    }, PROGRESS_INTERVAL_MS);
    this.#progressTimer.unref();
  }
}

/**
 * Credentials of callers: those of a role in the stack, or of the operator.
 *
 * @param role logical id or construct path of the role
 * @throws DrillError that names the roles of the stack
 */
export function callerCredentialsFor(cloud: RehearsalCloud, stackName: string, role: string | undefined): Credentials {
  if (role === undefined) {
    return cloud.operatorCredentials;
  }
  const roles = cloud.resources(stackName).filter(({ type }) => type === 'AWS::IAM::Role');
  const found = roles.find(({ logicalId, path }) => logicalId === role || path === role || path === `${role}/Resource`);
  const arn = found?.attributes.Arn;
  if (arn === undefined) {
    const paths = roles.map(({ path }) => path).join(', ');
    throw new DrillError(`traffic.callerRole: stack ${stackName} has no role ${role}, expected one of ${paths}`);
  }
  return cloud.iam.sessionFor(String(arn), 'caller');
}
