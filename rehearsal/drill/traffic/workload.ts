import { TASKS_PATH, type TaskRecord, taskResponseSchema } from '../../../lib/contract';
import type { RehearsalCloud } from '../../cloud';
import type { Credentials } from '../../core/principal';
import { seededRandom } from '../../core/random';
import { messagesIn } from '../observe/lane-queues';
import { until } from '../observe/wait';
import type { Cancellation, Read, Submission } from '../report/history';
import type { Progress } from '../report/progress';
import type { AgentUnderTest } from '../scenario/agent-under-test';
import type { ScenarioRelease, Traffic } from '../scenario/scenario';
import { ApiClient } from './api-client';
import { RETRY_UNTIL_ANSWERED, RETRY_WHEN_THROTTLED } from './retrying-caller';
import { TrafficGenerator } from './traffic';
import { TrafficPlan } from './traffic-plan';

export interface WorkloadProps {
  readonly cloud: RehearsalCloud;
  readonly agent: AgentUnderTest;
  readonly traffic: Traffic;
  readonly caller: Credentials;
  readonly seed: number;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** Whether callers repeat what was not answered, each request under a key of its own. @default only what was refused for now */
  readonly patient?: boolean;
  /** Whether any number of tasks may wait: more are sent although many do. @default they may not */
  readonly mayWait?: () => boolean;
  /** Where callers receive webhooks. @default nowhere */
  readonly webhookUrl?: string;
}

/** Real milliseconds between two lines about the traffic. */
const LINE_MS = 5_000;
const MIN_WAITING = 20;
const DEFAULT_READS = 0.02;

/** The scenario's traffic on the deployed agent. */
export class Workload {
  private readonly client: ApiClient;
  private readonly generator: TrafficGenerator;
  private line: NodeJS.Timeout | undefined;

  constructor(private readonly props: WorkloadProps) {
    const { cloud, agent, traffic, caller, seed } = props;
    const now = () => cloud.clock.now();
    const maxQueuedTasks = traffic.maxQueuedTasks ?? Math.max(MIN_WAITING, Math.ceil(traffic.ratePerSecond));
    this.client = new ApiClient(agent.endpoint, caller, now);
    this.generator = new TrafficGenerator(
      new TrafficPlan(traffic, seed, {
        repeatable: props.patient === true,
        webhookUrl: props.webhookUrl,
      }),
      this.client,
      traffic.ratePerSecond,
      now,
      (inProgress) => props.mayWait?.() !== true && messagesIn(cloud, agent.queues) + inProgress >= maxQueuedTasks,
      props.patient === true ? RETRY_UNTIL_ANSWERED : RETRY_WHEN_THROTTLED,
    );
  }

  get submissions(): readonly Submission[] {
    return this.generator.submissions;
  }

  get cancellations(): readonly Cancellation[] {
    return this.generator.cancellations;
  }

  /** Tasks sent so far, repeats not counted. */
  get tasks(): number {
    return this.generator.tasks;
  }

  /**
   * Sends tasks until the release has had its share of the traffic. The traffic goes on afterwards.
   *
   * @param tasksBefore tasks that had been sent when its deployment started
   * @param share of all tasks, 0 to 1
   */
  async sendShare(release: ScenarioRelease, tasksBefore: number, share: number, isLast: boolean): Promise<void> {
    if (release.traffic?.paused) {
      return;
    }
    const { traffic, signal } = this.props;
    const ownShare = tasksBefore + Math.ceil(share * traffic.tasks);
    const enough = isLast ? Math.max(traffic.tasks, ownShare) : ownShare;
    this.start();
    await until(() => this.tasks >= enough, Number.POSITIVE_INFINITY, signal);
  }

  /** Sends nothing more, and waits for the answers that are under way. */
  async pause(): Promise<void> {
    clearInterval(this.line);
    this.line = undefined;
    await this.generator.pause();
  }

  /** Ends connections: answers under way are lost. */
  async stop(): Promise<void> {
    const paused = this.pause();
    this.client.close();
    await paused;
  }

  /** Reads a sample of the tasks through the API, as their callers would. */
  async readBack(tasks: readonly TaskRecord[]): Promise<readonly Read[]> {
    const { traffic, seed } = this.props;
    const random = seededRandom(`reads/${seed}`);
    const reads: Read[] = [];
    for (const task of tasks) {
      if (random() < (traffic.readShare ?? DEFAULT_READS)) {
        const { status, body } = await this.client.send('GET', `${TASKS_PATH}/${task.id}`);
        const answer = taskResponseSchema.safeParse(body);
        reads.push({ taskId: task.id, status, ...(answer.success ? { taskStatus: answer.data.status } : {}) });
      }
    }
    return reads;
  }

  private start(): void {
    const { cloud, agent, traffic, progress } = this.props;
    if (this.generator.running) {
      return;
    }
    this.generator.start();
    progress.log('', `traffic: ${traffic.ratePerSecond} tasks/s by ${traffic.users} users`);
    let before = this.tasks;
    this.line = setInterval(() => {
      const rate = ((this.tasks - before) / LINE_MS) * 1000;
      before = this.tasks;
      const waiting = messagesIn(cloud, agent.queues);
      progress.log('', `${this.tasks} tasks sent, ${rate.toFixed(0)}/s, ${waiting} waiting`, 'dim');
    }, LINE_MS);
    this.line.unref();
  }
}
