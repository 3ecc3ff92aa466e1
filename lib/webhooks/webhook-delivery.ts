import { Duration, Validations } from 'aws-cdk-lib';
import { type Alarm, ComparisonOperator, Metric, type MetricOptions, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { EventSourceMapping, type Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { BundledFunction, createAlarm, createQueue } from '../common';
import { Dimension, Env, METRIC_NAMESPACE, WEBHOOK_MAX_RECEIVES, WebhookMetric } from '../contract';
import { grantSend } from '../lanes/lane-grants';
import { grantWebhooks } from '../state/store-grants';
import type { WebhookContext, WebhookSenderOptions } from './webhook-options';

/** Settings of a {@link WebhookDelivery}. */
export interface WebhookDeliveryProps extends WebhookSenderOptions, WebhookContext {
  /** How long after a task's end its webhook is retried. */
  readonly retryFor: Duration;
  /** Host names that webhooks may call at private addresses. */
  readonly privateHosts: string[];
}

/** The webhooks of a batch are delivered concurrently, with a timeout of 10 seconds each. */
const TIMEOUT = Duration.seconds(60);

/** AWS advises six times the timeout; the function itself sets the visibility of a webhook to retry. */
const VISIBILITY = Duration.seconds(6 * TIMEOUT.toSeconds());

/** Batches that are delivered at once: slow receivers must not use up the concurrency of the account. */
const CONCURRENCY = 10;
const BATCH_SIZE = 10;

/** Length of a generated key: letters and digits, about 380 bits. */
const KEY_LENGTH = 64;

/** Sends signed webhooks when tasks have ended: a queue, and a function that signs and sends. */
export class WebhookDelivery extends Construct {
  /** Workers and the status function send a message here when a task has ended. */
  readonly queue: IQueue;
  /** Queue of abandoned webhooks. */
  readonly deadLetterQueue: IQueue;
  /** In ALARM while the dead-letter queue holds a message. */
  readonly deadLetterAlarm: Alarm;
  /** Signs and sends webhooks. */
  readonly function: LambdaFunction;
  /** The signing key. Receivers need its value. */
  readonly secret: ISecret;
  /** Host names that webhooks may call at private addresses. */
  readonly privateHosts: string[];
  private readonly agentName: string;

  constructor(scope: Construct, id: string, props: WebhookDeliveryProps) {
    super(scope, id);
    const { agentName, encryptionKey, privateHosts, retryFor, store } = props;
    this.agentName = agentName;
    this.privateHosts = privateHosts;
    this.secret = props.secret ?? this.createSecret(props);

    const deadLetterQueue = createQueue(this, 'DeadLetters', { encryptionKey });
    this.deadLetterQueue = deadLetterQueue;
    this.queue = createQueue(this, 'Queue', {
      encryptionKey,
      visibilityTimeout: VISIBILITY,
      deadLetterQueue: { queue: deadLetterQueue, maxReceiveCount: WEBHOOK_MAX_RECEIVES },
    });

    this.function = new BundledFunction(this, 'Function', {
      bundle: 'webhook',
      description: 'Sends signed webhooks when tasks have ended',
      timeout: TIMEOUT,
      environment: {
        [Env.AGENT]: agentName,
        [Env.TASKS_TABLE]: store.tasks.tableName,
        [Env.WEBHOOK_QUEUE]: this.queue.queueUrl,
        [Env.WEBHOOK_DEAD_LETTER_QUEUE]: this.deadLetterQueue.queueUrl,
        [Env.WEBHOOK_SECRET]: this.secret.secretArn,
        [Env.WEBHOOK_RETRY_SECONDS]: String(retryFor.toSeconds()),
        ...(privateHosts.length === 0 ? {} : { [Env.WEBHOOK_PRIVATE_HOSTS]: JSON.stringify(privateHosts) }),
      },
      vpc: props.vpc,
      vpcSubnets: props.vpcSubnets,
      securityGroups: props.securityGroups,
    });
    grantWebhooks(store, this.function);
    this.secret.grantRead(this.function);
    grantSend(this.deadLetterQueue, this.function);
    const receive = this.queue.grantConsumeMessages(this.function);
    const mapping = new EventSourceMapping(this, 'Mapping', {
      target: this.function,
      eventSourceArn: this.queue.queueArn,
      batchSize: BATCH_SIZE,
      reportBatchItemFailures: true,
      maxConcurrency: CONCURRENCY,
    });
    receive.applyBefore(mapping);
    this.deadLetterAlarm = this.createDeadLetterAlarm(props);
  }

  /** Webhooks that receivers accepted. Count; sum by default. */
  metricDelivered(props?: MetricOptions): Metric {
    return this.metric(WebhookMetric.DELIVERED, props);
  }

  /** Failed deliveries; each is retried. Count; sum by default. */
  metricFailed(props?: MetricOptions): Metric {
    return this.metric(WebhookMetric.FAILED, props);
  }

  /** Abandoned webhooks. Count; sum by default. */
  metricAbandoned(props?: MetricOptions): Metric {
    return this.metric(WebhookMetric.ABANDONED, props);
  }

  private metric(metricName: string, props?: MetricOptions): Metric {
    return new Metric({
      namespace: METRIC_NAMESPACE,
      metricName,
      dimensionsMap: { [Dimension.AGENT]: this.agentName },
      statistic: Stats.SUM,
      ...props,
    });
  }

  private createSecret({ agentName, encryptionKey }: WebhookDeliveryProps): ISecret {
    const secret = new Secret(this, 'Secret', {
      description: `Signs the webhooks of agent ${agentName}`,
      generateSecretString: { passwordLength: KEY_LENGTH, excludePunctuation: true },
      encryptionKey,
    });
    Validations.of(secret).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason:
        'Receivers of webhooks get a new key by hand, so no function can rotate it; an operator puts a new value, and webhooks are signed with the previous key as well until the receivers use the new one',
    });
    return secret;
  }

  private createDeadLetterAlarm({ alarmAction, agentName, retryFor }: WebhookDeliveryProps): Alarm {
    return createAlarm(this, 'DeadLetterAlarm', {
      metric: this.deadLetterQueue.metricApproximateNumberOfMessagesVisible({
        period: Duration.minutes(1),
        statistic: Stats.MAXIMUM,
      }),
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      threshold: 0,
      description:
        `Agent '${agentName}': the dead-letter queue of the webhooks holds webhooks that were abandoned: the receiver ` +
        `did not accept them for ${retryFor.toHumanString()}, is gone, or is not allowed. What to do: the attribute Reason ` +
        "of each message names the cause, the webhook function's log names host and status of each delivery, and the " +
        'results are kept with the tasks. Fix the receiver, then redrive: "aws sqs start-message-move-task" with this queue ' +
        'as source and the webhook queue as destination delivers each again.',
      alarmAction,
    });
  }
}
