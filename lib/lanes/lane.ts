import { Duration } from 'aws-cdk-lib';
import {
  type Alarm,
  ComparisonOperator,
  type IAlarmAction,
  type Metric,
  type MetricOptions,
  Stats,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { Grant, IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { IQueue, Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct, type IConstruct } from 'constructs';
import { checkedInteger, createAlarm, createQueue, laneError } from '../common';
import { DEFAULT_MAX_RECEIVES, PlatformLimits } from '../contract';
import { TaskMetricSet } from '../metrics';
import { grantSend } from './lane-grants';
import type { AgentLane, ILaneQueues } from './lane-queues';

/** A lane, created in this stack or imported from another: its queues, its metrics, and who may send to it. */
export interface ILane extends IConstruct, ILaneQueues {
  /** The work queues, most urgent first. */
  readonly queues: IQueue[];
  /** Task metrics of this lane, over all releases that it ran. */
  readonly tasks: TaskMetricSet;
  /** Lets the grantee send messages to the lane's work queues. */
  grantSend(grantee: IGrantable): Grant;
  /** Messages in the dead-letter queue. Count; maximum by default. */
  metricDeadLetters(props?: MetricOptions): Metric;
  /** Messages that wait in one of the lane's queues. Count; maximum by default. */
  metricWaiting(queue: IQueue, props?: MetricOptions): Metric;
  /** Age of the oldest message in one of the lane's queues. Seconds; maximum by default. */
  metricOldestMessage(queue: IQueue, props?: MetricOptions): Metric;
}

/** Settings of a {@link Lane}. */
export interface LaneProps {
  /** Which of the two lanes. */
  readonly laneName: AgentLane;
  /** Name of the agent: value of the metric dimension `Agent`. */
  readonly agentName: string;
  /**
   * How long a received message stays invisible to other workers: at least the worker's timeout, and at most 12 hours
   * (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html).
   */
  readonly visibilityTimeout: Duration;
  /**
   * Receives after which SQS moves a message to the dead-letter queue: 5 to 1,000. Workers count the attempts of a task
   * themselves; this limit is for messages that no worker can read, and for outages. Throttled receives of an event
   * source mapping count as well, so AWS advises at least 5
   * (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html).
   *
   * @default 20
   */
  readonly maxReceiveCount?: number;
  /**
   * Key that encrypts the queues.
   *
   * @default - keys managed by SQS
   */
  readonly encryptionKey?: IKey;
  /**
   * Notified when a message reaches the dead-letter queue.
   *
   * @default - no alarm action
   */
  readonly alarmAction?: IAlarmAction;
}

/** Resources of a lane that another stack created. */
export interface LaneAttributes {
  /** Which of the two lanes. */
  readonly laneName: AgentLane;
  /** Name of the agent: value of the metric dimension `Agent`. */
  readonly agentName: string;
  /** Queue of urgent tasks. */
  readonly high: IQueue;
  /** Queue of tasks that are neither urgent nor bulk. */
  readonly normal: IQueue;
  /** Queue of bulk work. */
  readonly low: IQueue;
  /** The lane's dead-letter queue. */
  readonly deadLetterQueue: IQueue;
  /**
   * Receives after which SQS moves a message to the dead-letter queue.
   *
   * @default 20
   */
  readonly maxReceiveCount?: number;
}

/** AWS advises at least this many: below, throttling alone moves good messages to the dead-letter queue. */
const MIN_RECEIVES = 5;
/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html */
const MAX_RECEIVES = 1_000;

abstract class LaneBase extends Construct implements ILane {
  abstract readonly laneName: string;
  abstract readonly high: IQueue;
  abstract readonly normal: IQueue;
  abstract readonly low: IQueue;
  abstract readonly deadLetterQueue: IQueue;
  abstract readonly maxReceiveCount: number;
  abstract readonly tasks: TaskMetricSet;

  /** The work queues, most urgent first. */
  get queues(): IQueue[] {
    return [this.high, this.normal, this.low];
  }

  /** Lets the grantee send messages to the lane's work queues. */
  grantSend(grantee: IGrantable): Grant {
    return this.queues.map((queue) => grantSend(queue, grantee)).reduce((all, grant) => all.combine(grant));
  }

  /** Messages in the dead-letter queue. Count; maximum by default. */
  metricDeadLetters(props?: MetricOptions): Metric {
    return this.deadLetterQueue.metricApproximateNumberOfMessagesVisible({ statistic: Stats.MAXIMUM, ...props });
  }

  /** Messages that wait in one of the lane's queues. Count; maximum by default. */
  metricWaiting(queue: IQueue, props?: MetricOptions): Metric {
    return queue.metricApproximateNumberOfMessagesVisible({ statistic: Stats.MAXIMUM, ...props });
  }

  /** Age of the oldest message in one of the lane's queues. Seconds; maximum by default. */
  metricOldestMessage(queue: IQueue, props?: MetricOptions): Metric {
    return queue.metricApproximateAgeOfOldestMessage({ statistic: Stats.MAXIMUM, ...props });
  }
}

/**
 * One complete worker side as the router sees it: a queue per priority, and a dead-letter queue behind them.
 * `AgentWorker.attachLane` attaches the worker that serves it.
 */
export class Lane extends LaneBase {
  /** A lane that another stack created, to send to it or to watch it. */
  static fromLaneAttributes(scope: Construct, id: string, attributes: LaneAttributes): ILane {
    return new ImportedLane(scope, id, attributes);
  }

  /** `stable` or `candidate`. */
  readonly laneName: string;
  /** Queue of urgent tasks. */
  readonly high: IQueue;
  /** Queue of tasks that are neither urgent nor bulk. */
  readonly normal: IQueue;
  /** Queue of bulk work. */
  readonly low: IQueue;
  /** The worker moves tasks here that failed at their last attempt, and SQS messages that were received too often. */
  readonly deadLetterQueue: IQueue;
  /** In ALARM while the dead-letter queue holds a message. */
  readonly deadLetterAlarm: Alarm;
  /** Receives after which SQS moves a message to the dead-letter queue. */
  readonly maxReceiveCount: number;
  /** Task metrics of this lane, over all releases that it ran. */
  readonly tasks: TaskMetricSet;

  constructor(scope: Construct, id: string, props: LaneProps) {
    super(scope, id);
    this.laneName = props.laneName;
    this.tasks = TaskMetricSet.ofLane(props.agentName, props.laneName);
    this.maxReceiveCount = props.maxReceiveCount ?? DEFAULT_MAX_RECEIVES;
    this.checkSettings(props);

    const { encryptionKey, visibilityTimeout } = props;
    const deadLetterQueue = createQueue(this, 'DeadLetters', { encryptionKey });
    this.deadLetterQueue = deadLetterQueue;
    const workQueue = (name: string): Queue =>
      createQueue(this, name, {
        encryptionKey,
        visibilityTimeout,
        deadLetterQueue: { queue: deadLetterQueue, maxReceiveCount: this.maxReceiveCount },
      });
    this.high = workQueue('High');
    this.normal = workQueue('Normal');
    this.low = workQueue('Low');

    this.deadLetterAlarm = createAlarm(this, 'DeadLetterAlarm', {
      metric: this.metricDeadLetters({ period: Duration.minutes(1) }),
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      threshold: 0,
      description:
        `Agent '${props.agentName}', ${props.laneName} lane: the dead-letter queue holds tasks that failed at their last ` +
        'attempt. What to do: "npx cdk-agent-lanes redrive" lists them with their errors; fix the cause, then redrive them ' +
        'with "npx cdk-agent-lanes redrive --execute".',
      alarmAction: props.alarmAction,
    });
  }

  private checkSettings({ visibilityTimeout }: LaneProps): void {
    checkedInteger(this, 'InvalidMaxReceiveCount', {
      name: 'maxReceiveCount',
      value: this.maxReceiveCount,
      min: MIN_RECEIVES,
      max: MAX_RECEIVES,
    });
    const limit = PlatformLimits.SQS_VISIBILITY;
    if (visibilityTimeout.toSeconds() > limit.value) {
      throw laneError(
        this,
        'InvalidVisibilityTimeout',
        `visibilityTimeout must be at most ${limit.value} ${limit.unit}, got ${visibilityTimeout.toSeconds()}; ` +
          `shorten the worker's timeout (${limit.source})`,
      );
    }
  }
}

class ImportedLane extends LaneBase {
  readonly laneName: string;
  readonly high: IQueue;
  readonly normal: IQueue;
  readonly low: IQueue;
  readonly deadLetterQueue: IQueue;
  readonly maxReceiveCount: number;
  readonly tasks: TaskMetricSet;

  constructor(scope: Construct, id: string, attributes: LaneAttributes) {
    super(scope, id);
    this.laneName = attributes.laneName;
    this.high = attributes.high;
    this.normal = attributes.normal;
    this.low = attributes.low;
    this.deadLetterQueue = attributes.deadLetterQueue;
    this.maxReceiveCount = attributes.maxReceiveCount ?? DEFAULT_MAX_RECEIVES;
    this.tasks = TaskMetricSet.ofLane(attributes.agentName, attributes.laneName);
  }
}
