import { Annotations, ArnFormat, Duration, RemovalPolicy, Size, Stack } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import { HttpApi, HttpMethod, HttpStage, LogGroupLogDestination } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import {
  type Alarm,
  ComparisonOperator,
  type IAlarmAction,
  Metric,
  type MetricOptions,
  Stats,
} from 'aws-cdk-lib/aws-cloudwatch';
import { Grant, type IGrantable, Policy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Alias, EventSourceMapping, type IVersion, type Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { type IQueue, Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct, type IConstruct } from 'constructs';
import { acknowledgeWildcard, BundledFunction, createAlarm, createQueue, describeValue, laneError } from '../common';
import { Dimension, Env, FEEDBACK_PATH, IntakeMetric, METRIC_NAMESPACE, ROUTER_ALIAS, TASKS_PATH } from '../contract';
import type { ILane } from '../lanes';
import { grantSend } from '../lanes/lane-grants';
import { queueUrls } from '../lanes/lane-queues';
import type { Budgets } from '../limits';
import type { IAgentStore } from '../state';
import { grantIntake, grantReadBudgets, grantStatus } from '../state/store-grants';
import { type BacklogLimits, backlogLimitSeconds } from './backlog-limits';
import { IntakeAuth } from './intake-auth';
import {
  INBOX_ACTIONS,
  INVOKE_API_ACTIONS,
  QUEUE_AGE_ACTIONS,
  QUEUE_LENGTH_ACTIONS,
  ROUTER_ALIAS_ACTIONS,
} from './perms';

/** The intake of an agent, created in this stack or imported from another: where callers submit and read tasks. */
export interface IIntake extends IConstruct {
  /** URL of the HTTP API, without a path: tasks are submitted to `<endpoint>/tasks`. */
  readonly endpoint: string;
  /** Queue for direct producers. Messages have the body of `POST /tasks`. */
  readonly inbox: IQueue;
  /** Lets the grantee submit tasks: over HTTP (with IAM authorization) and through the inbox. */
  grantSubmit(grantee: IGrantable): Grant;
  /** Lets the grantee read status and results over HTTP (with IAM authorization). */
  grantRead(grantee: IGrantable): Grant;
  /** Lets the grantee cancel tasks over HTTP (with IAM authorization). */
  grantCancel(grantee: IGrantable): Grant;
  /** Lets the grantee send feedback on results over HTTP (with IAM authorization). */
  grantFeedback(grantee: IGrantable): Grant;
  /** Tasks accepted by the router. Count; sum by default. */
  metricAccepted(props?: MetricOptions): Metric;
  /** Requests refused by the router: invalid, in conflict, too large, or over a limit. Count; sum by default. */
  metricRefused(props?: MetricOptions): Metric;
  /** Requests refused with 429 because of the age of the backlog; part of the refused. Count; sum by default. */
  metricShed(props?: MetricOptions): Metric;
  /** Tasks cancelled while they were queued. Count; sum by default. */
  metricCancelled(props?: MetricOptions): Metric;
  /** Feedback from users. Count; sum by default. */
  metricFeedback(props?: MetricOptions): Metric;
}

/** Settings of the intake that users of `AgentService` may choose. */
export interface IntakeOptions {
  /**
   * Who may call the HTTP API.
   *
   * @default IntakeAuth.iam()
   */
  readonly auth?: IntakeAuth;

  /**
   * Queue for direct producers: other queues, events. Messages have the body of `POST /tasks`. An existing queue needs a
   * dead-letter queue, which receives messages that are no valid requests, and a visibility timeout of at least 120 seconds.
   *
   * @default - a queue with a dead-letter queue and an alarm
   */
  readonly inbox?: IQueue;

  /**
   * Age of the backlog past which the HTTP API answers 429 with `Retry-After`. Messages in the inbox are not refused: they
   * wait there for some minutes and are accepted then.
   *
   * @default - low priority past 5 minutes of waiting, normal past 15, high past 60
   */
  readonly backpressure?: BacklogLimits;

  /**
   * Average requests per second that the HTTP API accepts. The account's own limit is 10,000
   * (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html).
   *
   * @default 100
   */
  readonly rateLimit?: number;

  /**
   * Requests that the HTTP API accepts at once. The account's own limit is 5,000.
   *
   * @default 200
   */
  readonly burstLimit?: number;

  /**
   * How long access logs and logs of the functions are kept.
   *
   * @default RetentionDays.ONE_MONTH
   */
  readonly logRetention?: RetentionDays;
}

/** Webhooks as the intake needs them. */
export interface IntakeWebhooks {
  /** Queue of the webhook function. */
  readonly queue: IQueue;
  /** Host names that webhooks may call at private addresses. */
  readonly privateHosts: string[];
}

/** Settings of an {@link Intake}. */
export interface IntakeProps extends IntakeOptions {
  /** Name of the agent: value of the metric dimension `Agent`. */
  readonly agentName: string;
  /** Release that the template names. */
  readonly releaseId: string;
  /** Published version of the worker: the router gets a new version whenever the worker does. */
  readonly workerVersion: string;
  /** Where tasks are recorded. */
  readonly store: IAgentStore;
  /** Lane of the promoted release. */
  readonly stable: ILane;
  /** Lane of the release that is rolled out. */
  readonly candidate: ILane;
  /** How long a finished task is kept: an integer number of days, 1 or more. */
  readonly taskRetention: Duration;
  /**
   * Delivers webhooks when tasks finish.
   *
   * @default - tasks with a webhook are refused
   */
  readonly webhooks?: IntakeWebhooks;
  /**
   * Budgets past which tasks are refused.
   *
   * @default - no budgets
   */
  readonly budgets?: Budgets;
  /**
   * Key that encrypts the inbox.
   *
   * @default - keys managed by SQS
   */
  readonly encryptionKey?: IKey;
  /**
   * Notified when a message reaches the inbox's dead-letter queue.
   *
   * @default - no alarm action
   */
  readonly alarmAction?: IAlarmAction;
}

/** The intake of an agent that another stack created. */
export interface IntakeAttributes {
  /** Name of the agent: value of the metric dimension `Agent`. */
  readonly agentName: string;
  /** Id of the HTTP API, in the account and region of the importing stack. */
  readonly apiId: string;
  /**
   * URL of the HTTP API, without a path.
   *
   * @default - the default endpoint of the API in the stack's region
   */
  readonly endpoint?: string;
  /** Queue for direct producers. */
  readonly inbox: IQueue;
}

/** Below the 30 seconds after which an HTTP API times out: the router can still answer by itself. */
const ROUTER_TIMEOUT = Duration.seconds(20);

/** The router holds a body of 4 MiB several times: as text, as value, as bytes for S3. */
const ROUTER_MEMORY = Size.mebibytes(1024);

/** Enough to read a result of 4 MiB from S3 twice. */
const STATUS_TIMEOUT = Duration.seconds(20);

/** AWS advises six times the function's timeout for a queue whose messages come in batches. */
const INBOX_VISIBILITY = Duration.seconds(6 * ROUTER_TIMEOUT.toSeconds());

/** Batches of the inbox that run at once: a burst of events must not use up the concurrency of the account. */
const INBOX_CONCURRENCY = 10;

/** Receives after which SQS moves a message of the inbox to its dead-letter queue. */
const INBOX_MAX_RECEIVES = 5;

/** Stage of the HTTP API: the default one, so that paths have no prefix. */
const STAGE_NAME = '$default';

const ACCESS_LOG_FIELDS = {
  requestId: '$context.requestId',
  ip: '$context.identity.sourceIp',
  caller: '$context.identity.caller',
  requestTime: '$context.requestTime',
  routeKey: '$context.routeKey',
  status: '$context.status',
  protocol: '$context.protocol',
  responseLength: '$context.responseLength',
  integrationLatency: '$context.integrationLatency',
  error: '$context.error.message',
  integrationError: '$context.integrationErrorMessage',
};

abstract class IntakeBase extends Construct implements IIntake {
  abstract readonly endpoint: string;
  abstract readonly inbox: IQueue;
  /** @internal */
  protected abstract readonly _agentName: string;
  /** @internal */
  protected abstract readonly _apiId: string;

  /** Lets the grantee submit tasks: over HTTP (with IAM authorization) and through the inbox. */
  grantSubmit(grantee: IGrantable): Grant {
    return this.grantInvoke(grantee, HttpMethod.POST, TASKS_PATH).combine(grantSend(this.inbox, grantee));
  }

  /** Lets the grantee read status and results over HTTP (with IAM authorization). */
  grantRead(grantee: IGrantable): Grant {
    return this.grantInvoke(grantee, HttpMethod.GET, `${TASKS_PATH}/*`);
  }

  /** Lets the grantee cancel tasks over HTTP (with IAM authorization). */
  grantCancel(grantee: IGrantable): Grant {
    return this.grantInvoke(grantee, HttpMethod.DELETE, `${TASKS_PATH}/*`);
  }

  /** Lets the grantee send feedback on results over HTTP (with IAM authorization). */
  grantFeedback(grantee: IGrantable): Grant {
    return this.grantInvoke(grantee, HttpMethod.POST, `${TASKS_PATH}/*${FEEDBACK_PATH}`);
  }

  /** Tasks accepted by the router. Count; sum by default. */
  metricAccepted(props?: MetricOptions): Metric {
    return this.metric(IntakeMetric.ACCEPTED, props);
  }

  /** Requests refused by the router: invalid, in conflict, too large, or over a limit. Count; sum by default. */
  metricRefused(props?: MetricOptions): Metric {
    return this.metric(IntakeMetric.REFUSED, props);
  }

  /** Requests refused with 429 because of the age of the backlog; part of the refused. Count; sum by default. */
  metricShed(props?: MetricOptions): Metric {
    return this.metric(IntakeMetric.SHED, props);
  }

  /** Tasks cancelled while they were queued. Count; sum by default. */
  metricCancelled(props?: MetricOptions): Metric {
    return this.metric(IntakeMetric.CANCELLED, props);
  }

  /** Feedback from users. Count; sum by default. */
  metricFeedback(props?: MetricOptions): Metric {
    return this.metric(IntakeMetric.FEEDBACK, props);
  }

  private metric(metricName: string, props?: MetricOptions): Metric {
    return new Metric({
      namespace: METRIC_NAMESPACE,
      metricName,
      dimensionsMap: { [Dimension.AGENT]: this._agentName },
      statistic: Stats.SUM,
      ...props,
    });
  }

  private grantInvoke(grantee: IGrantable, method: HttpMethod, path: string): Grant {
    const arn = Stack.of(this).formatArn({
      service: 'execute-api',
      resource: this._apiId,
      resourceName: `${STAGE_NAME}/${method}${path}`,
      arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
    });
    if (path.includes('*') && Construct.isConstruct(grantee.grantPrincipal)) {
      acknowledgeWildcard(
        grantee.grantPrincipal,
        arn,
        `The wildcard stands for task ids, which are not known at synth; the grant is limited to one method of one route (${method})`,
      );
    }
    return Grant.addToPrincipal({ grantee, actions: INVOKE_API_ACTIONS, resourceArns: [arn] });
  }
}

/**
 * Receives tasks: an HTTP API and an inbox queue, both through the router. The HTTP API also reads and cancels tasks and
 * takes feedback on their results.
 *
 * A request may have 4 MiB, and so may a result: an HTTP API accepts 10 MB, but the event and the response of a function
 * 6 MB including their envelopes (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html,
 * https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). A message in the inbox may have 1 MiB.
 */
export class Intake extends IntakeBase {
  /** The intake of an agent in another stack, to submit, read and cancel its tasks and to watch its metrics. */
  static fromIntakeAttributes(scope: Construct, id: string, attributes: IntakeAttributes): IIntake {
    return new ImportedIntake(scope, id, attributes);
  }

  /** The HTTP API. */
  readonly api: HttpApi;
  /** Its default stage: throttling and access logs. */
  readonly stage: HttpStage;
  /** Queue for direct producers. */
  readonly inbox: IQueue;
  /** In ALARM while the inbox's dead-letter queue holds a message; undefined for an inbox that was passed as a prop. */
  readonly inboxDeadLetterAlarm?: Alarm;
  /** Validates, deduplicates, records and enqueues tasks. */
  readonly router: LambdaFunction;
  /** Published version of the router that belongs to the release. */
  readonly routerVersion: IVersion;
  /** Alias `live` of the router: CodeDeploy shifts it during a rollout. */
  readonly live: Alias;
  /** Lets the router read its own aliases. The router does not depend on it: that would be a cycle. */
  readonly aliasPolicy: Policy;
  /** Reads tasks, cancels them, stores feedback. */
  readonly status: LambdaFunction;
  /** @internal */
  protected readonly _agentName: string;

  constructor(scope: Construct, id: string, props: IntakeProps) {
    super(scope, id);
    this._agentName = props.agentName;
    const retentionDays = props.taskRetention.toDays({ integral: false });
    if (!Number.isInteger(retentionDays) || retentionDays < 1) {
      throw laneError(
        this,
        'InvalidTaskRetention',
        `taskRetention must be whole days, at least 1, got ${describeValue(props.taskRetention)}; use Duration.days()`,
      );
    }
    const logRetention = props.logRetention ?? RetentionDays.ONE_MONTH;
    const auth = (props.auth ?? IntakeAuth.iam())._bind(this);
    const lanes = [props.stable, props.candidate];

    this.router = new BundledFunction(this, 'Router', {
      bundle: 'router',
      description: 'Accepts tasks, records them and sends them to the queue of a lane',
      timeout: ROUTER_TIMEOUT,
      memorySize: ROUTER_MEMORY,
      logRetention,
      environment: {
        [Env.AGENT]: props.agentName,
        [Env.RELEASE]: props.releaseId,
        [Env.WORKER_VERSION]: props.workerVersion,
        [Env.TASKS_TABLE]: props.store.tasks.tableName,
        [Env.CONTROL_TABLE]: props.store.control.tableName,
        [Env.PAYLOAD_BUCKET]: props.store.payloads.bucketName,
        [Env.QUEUES]: queueUrls(this, lanes),
        [Env.BACKLOG_LIMITS]: JSON.stringify(backlogLimitSeconds(this, props.backpressure)),
        [Env.AUTH]: auth.mode,
        [Env.TASK_RETENTION_DAYS]: String(retentionDays),
        ...webhookEnvironment(props.webhooks),
        ...(props.budgets === undefined ? {} : { [Env.BUDGETS]: JSON.stringify(props.budgets._settings()) }),
      },
    });
    grantIntake(props.store, this.router);
    if (props.budgets !== undefined) {
      grantReadBudgets(props.store, this.router);
    }
    for (const lane of lanes) {
      lane.grantSend(this.router);
    }
    grantReadBacklog(lanes, this.router);
    this.routerVersion = this.router.currentVersion;
    this.live = new Alias(this, 'Live', {
      aliasName: ROUTER_ALIAS,
      version: this.routerVersion,
      description: 'Shifted by CodeDeploy; its weights are the valve between the lanes',
    });
    this.aliasPolicy = new Policy(this, 'RouterAliasPolicy', {
      roles: this.router.role === undefined ? [] : [this.router.role],
      statements: [
        new PolicyStatement({
          actions: ROUTER_ALIAS_ACTIONS,
          resources: [this.router.functionArn],
        }),
      ],
    });

    this.status = new BundledFunction(this, 'Status', {
      bundle: 'api',
      description: 'Reads tasks, cancels them and stores feedback on their results',
      timeout: STATUS_TIMEOUT,
      logRetention,
      environment: {
        [Env.AGENT]: props.agentName,
        [Env.TASKS_TABLE]: props.store.tasks.tableName,
        [Env.CONTROL_TABLE]: props.store.control.tableName,
        [Env.PAYLOAD_BUCKET]: props.store.payloads.bucketName,
        [Env.QUEUES]: queueUrls(this, lanes),
        [Env.AUTH]: auth.mode,
        [Env.TASK_RETENTION_DAYS]: String(retentionDays),
        ...(props.webhooks === undefined ? {} : { [Env.WEBHOOK_QUEUE]: props.webhooks.queue.queueUrl }),
      },
    });
    grantStatus(props.store, this.status);
    grantReadBacklog(lanes, this.status);
    if (props.webhooks !== undefined) {
      grantSend(props.webhooks.queue, this.status);
    }

    this.api = new HttpApi(this, 'Api', {
      createDefaultStage: false,
      description: `Tasks of agent '${props.agentName}'`,
    });
    const accessLogs = new LogGroup(this, 'AccessLogs', {
      retention: logRetention,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.stage = new HttpStage(this, 'Stage', {
      httpApi: this.api,
      stageName: STAGE_NAME,
      autoDeploy: true,
      throttle: { rateLimit: props.rateLimit ?? 100, burstLimit: props.burstLimit ?? 200 },
      accessLogSettings: {
        destination: new LogGroupLogDestination(accessLogs),
        format: AccessLogFormat.custom(JSON.stringify(ACCESS_LOG_FIELDS)),
      },
    });
    this.api.addRoutes({
      path: TASKS_PATH,
      methods: [HttpMethod.POST],
      integration: new HttpLambdaIntegration('Submit', this.live),
      authorizer: auth.authorizer,
    });
    const statusIntegration = new HttpLambdaIntegration('Read', this.status);
    this.api.addRoutes({
      path: `${TASKS_PATH}/{id}`,
      methods: [HttpMethod.GET, HttpMethod.DELETE],
      integration: statusIntegration,
      authorizer: auth.authorizer,
    });
    this.api.addRoutes({
      path: `${TASKS_PATH}/{id}${FEEDBACK_PATH}`,
      methods: [HttpMethod.POST],
      integration: statusIntegration,
      authorizer: auth.authorizer,
    });

    if (props.inbox === undefined) {
      const { inbox, alarm } = this.createInbox(props);
      this.inbox = inbox;
      this.inboxDeadLetterAlarm = alarm;
    } else {
      this.inbox = props.inbox;
      if (props.inbox instanceof Queue && props.inbox.deadLetterQueue === undefined) {
        Annotations.of(this).addWarningV2(
          'cdk-agent-lanes:inboxWithoutDeadLetters',
          'the queue passed as inbox has no dead-letter queue: messages that are no valid requests are received again until they expire; give the queue a dead-letter queue',
        );
      }
    }
    const receive = Grant.addToPrincipal({
      grantee: this.router,
      actions: INBOX_ACTIONS,
      resourceArns: [this.inbox.queueArn],
    });
    this.inbox.encryptionMasterKey?.grantDecrypt(this.router);
    const mapping = new EventSourceMapping(this, 'InboxMapping', {
      target: this.live,
      eventSourceArn: this.inbox.queueArn,
      batchSize: 10,
      reportBatchItemFailures: true,
      maxConcurrency: INBOX_CONCURRENCY,
    });
    receive.applyBefore(mapping);
  }

  /** URL of the HTTP API, without a path: tasks are submitted to `<endpoint>/tasks`. */
  get endpoint(): string {
    return this.api.apiEndpoint;
  }

  /** @internal */
  protected get _apiId(): string {
    return this.api.apiId;
  }

  private createInbox(props: IntakeProps): { inbox: Queue; alarm: Alarm } {
    const { encryptionKey } = props;
    const deadLetters = createQueue(this, 'InboxDeadLetters', { encryptionKey });
    const alarm = createAlarm(this, 'InboxDeadLetterAlarm', {
      metric: deadLetters.metricApproximateNumberOfMessagesVisible({
        period: Duration.minutes(1),
        statistic: Stats.MAXIMUM,
      }),
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      threshold: 0,
      description:
        `Agent '${props.agentName}': the inbox's dead-letter queue holds messages that could not be accepted as tasks. ` +
        "What to do: the router's log says what is wrong with each; fix the producer, then redrive the queue.",
      alarmAction: props.alarmAction,
    });
    const inbox = createQueue(this, 'Inbox', {
      encryptionKey,
      visibilityTimeout: INBOX_VISIBILITY,
      deadLetterQueue: { queue: deadLetters, maxReceiveCount: INBOX_MAX_RECEIVES },
    });
    return { inbox, alarm };
  }
}

class ImportedIntake extends IntakeBase {
  readonly endpoint: string;
  readonly inbox: IQueue;
  /** @internal */
  protected readonly _agentName: string;
  /** @internal */
  protected readonly _apiId: string;

  constructor(scope: Construct, id: string, attributes: IntakeAttributes) {
    super(scope, id);
    const { apiId, endpoint } = attributes;
    const { region, urlSuffix } = Stack.of(this);
    this.endpoint = endpoint ?? `https://${apiId}.execute-api.${region}.${urlSuffix}`;
    this.inbox = attributes.inbox;
    this._agentName = attributes.agentName;
    this._apiId = apiId;
  }
}

/** Environment variables of the router for webhooks: their queue, and the private hosts that they may call. */
function webhookEnvironment(webhooks: IntakeWebhooks | undefined): { [name: string]: string } {
  return webhooks === undefined
    ? {}
    : {
        [Env.WEBHOOK_QUEUE]: webhooks.queue.queueUrl,
        ...(webhooks.privateHosts.length === 0
          ? {}
          : { [Env.WEBHOOK_PRIVATE_HOSTS]: JSON.stringify(webhooks.privateHosts) }),
      };
}

/** Lets a function read the number and the age of the messages in the lanes' queues. */
function grantReadBacklog(lanes: readonly ILane[], { role }: LambdaFunction): void {
  if (role === undefined) {
    return;
  }
  Grant.addToPrincipal({
    grantee: role,
    actions: QUEUE_LENGTH_ACTIONS,
    resourceArns: lanes.flatMap(({ queues }) => queues.map(({ queueArn }) => queueArn)),
  });
  Grant.addToPrincipal({ grantee: role, actions: QUEUE_AGE_ACTIONS, resourceArns: ['*'] });
  acknowledgeWildcard(
    role,
    '*',
    'cloudwatch:GetMetricData does not support resource-level permissions (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html)',
  );
}
