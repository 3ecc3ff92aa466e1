import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import {
  Alarm,
  ComparisonOperator,
  type IAlarmAction,
  type Metric,
  type MetricOptions,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { Grant, IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { type IQueue, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { describeValue } from '../common';
import { laneError } from '../common/errors';
import { DEFAULT_MAX_RECEIVES, PlatformLimits } from '../contract';
import { TaskMetrics } from '../metrics';
import { grantSend } from './grant-send';
import type { LaneName } from './lane-name';
import type { ILaneQueues } from './lane-queues';

export interface LaneProps {
  readonly laneName: LaneName;
  /** Name of the agent: the value of the metric dimension. */
  readonly agentName: string;
  /** How long a message handed to a worker stays invisible to the others; at least the worker's timeout. */
  readonly visibilityTimeout: Duration;
  /**
   * Receives after which SQS moves a message to the dead-letter queue: 5 to 1000, for throttled receives of an event
   * source mapping count too. The attempts that a task gets are the worker's to count; this is the net beneath, for
   * messages that no worker can read and for outages.
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
   * Told when a message reaches the dead-letter queue.
   *
   * @default - nobody
   */
  readonly alarmAction?: IAlarmAction;
}

/** Fewest receives before the dead-letter queue; below, AWS warns that throttling alone loses messages to it. */
const MIN_RECEIVES = 5;
/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html */
const MAX_RECEIVES = 1_000;

/** As long as SQS keeps a message at most: a queue that nobody serves loses nothing sooner. */
const RETENTION = Duration.days(14);

/**
 * One complete worker side as seen by the router: a queue per priority, and a dead-letter queue behind them. Which
 * worker serves it is said by `AgentWorker.attachLane`.
 */
export class Lane extends Construct implements ILaneQueues {
  /** `stable` or `candidate`. */
  readonly laneName: string;
  /** Urgent tasks. */
  readonly high: IQueue;
  /** What is neither urgent nor bulk. */
  readonly normal: IQueue;
  /** Bulk work. */
  readonly low: IQueue;
  /** Where the worker puts a task that failed at its last attempt, and SQS a message that was received too often. */
  readonly deadLetterQueue: IQueue;
  /** In ALARM while the dead-letter queue holds a message. */
  readonly deadLetterAlarm: Alarm;
  readonly maxReceiveCount: number;
  /** Task metrics of this lane, whichever release it ran. */
  readonly tasks: TaskMetrics;

  constructor(scope: Construct, id: string, props: LaneProps) {
    super(scope, id);
    this.laneName = props.laneName;
    this.tasks = TaskMetrics.ofLane(props.agentName, props.laneName);
    this.maxReceiveCount = props.maxReceiveCount ?? DEFAULT_MAX_RECEIVES;
    if (
      !Number.isInteger(this.maxReceiveCount) ||
      this.maxReceiveCount < MIN_RECEIVES ||
      this.maxReceiveCount > MAX_RECEIVES
    ) {
      throw laneError(
        this,
        'InvalidMaxReceiveCount',
        `maxReceiveCount must be an integer between ${MIN_RECEIVES} and ${MAX_RECEIVES}, got ${describeValue(this.maxReceiveCount)} ` +
          '(https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html); ' +
          'throttled receives count too, so fewer send good tasks to the dead-letter queue',
      );
    }
    const visibility = props.visibilityTimeout.toSeconds();
    const limit = PlatformLimits.SQS_VISIBILITY;
    if (visibility > limit.value) {
      throw laneError(
        this,
        'InvalidVisibilityTimeout',
        `visibilityTimeout is ${visibility} s, expected at most ${limit.value} ${limit.unit} (${limit.source}); ` +
          "shorten the worker's timeout",
      );
    }
    const encryption =
      props.encryptionKey === undefined
        ? { encryption: QueueEncryption.SQS_MANAGED }
        : { encryption: QueueEncryption.KMS, encryptionMasterKey: props.encryptionKey };
    const common = {
      ...encryption,
      enforceSSL: true,
      retentionPeriod: RETENTION,
      removalPolicy: RemovalPolicy.DESTROY,
    };
    this.deadLetterQueue = new Queue(this, 'DeadLetters', common);
    const queue = (name: string): Queue =>
      new Queue(this, name, {
        ...common,
        visibilityTimeout: props.visibilityTimeout,
        deadLetterQueue: { queue: this.deadLetterQueue, maxReceiveCount: this.maxReceiveCount },
      });
    this.high = queue('High');
    this.normal = queue('Normal');
    this.low = queue('Low');

    this.deadLetterAlarm = new Alarm(this, 'DeadLetterAlarm', {
      metric: this.metricDeadLetters({ period: Duration.minutes(1) }),
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      threshold: 0,
      evaluationPeriods: 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
      alarmDescription:
        `Agent '${props.agentName}', ${props.laneName} lane: tasks failed at their last attempt and lie in the ` +
        'dead-letter queue. What to do: "npx cdk-agent-lanes redrive" lists them with their errors; mend the cause, then ' +
        'redrive them with "npx cdk-agent-lanes redrive --execute".',
    });
    if (props.alarmAction !== undefined) {
      this.deadLetterAlarm.addAlarmAction(props.alarmAction);
    }
  }

  /** The work queues, most urgent first. */
  get queues(): IQueue[] {
    return [this.high, this.normal, this.low];
  }

  /** Lets somebody put messages into the lane's work queues. */
  grantSend(grantee: IGrantable): Grant {
    return this.queues.map((queue) => grantSend(queue, grantee)).reduce((all, grant) => all.combine(grant));
  }

  /** Messages in the dead-letter queue. Count; maximum by default. */
  metricDeadLetters(options: MetricOptions = {}): Metric {
    return this.deadLetterQueue.metricApproximateNumberOfMessagesVisible({ statistic: Stats.MAXIMUM, ...options });
  }

  /** Messages that wait in one of the lane's queues. Count; maximum by default. */
  metricWaiting(queue: IQueue, options: MetricOptions = {}): Metric {
    return queue.metricApproximateNumberOfMessagesVisible({ statistic: Stats.MAXIMUM, ...options });
  }

  /** Age of the oldest message in one of the lane's queues. Seconds; maximum by default. */
  metricOldestMessage(queue: IQueue, options: MetricOptions = {}): Metric {
    return queue.metricApproximateAgeOfOldestMessage({ statistic: Stats.MAXIMUM, ...options });
  }
}
