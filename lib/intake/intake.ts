import { Annotations, ArnFormat, Duration, RemovalPolicy, Size, Stack } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import { HttpApi, HttpMethod, HttpStage, LogGroupLogDestination } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import {
  Alarm,
  ComparisonOperator,
  type IAlarmAction,
  Metric,
  type MetricOptions,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { Grant, type IGrantable, Policy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Alias, EventSourceMapping, type IVersion, type Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { type IQueue, Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { acknowledgeWildcard, BundledFunction, describeValue, laneError } from '../common';
import { Dimension, Env, FEEDBACK_PATH, IntakeMetric, METRIC_NAMESPACE, ROUTER_ALIAS, TASKS_PATH } from '../contract';
import { grantSend } from '../lanes/grant-send';
import type { Lane } from '../lanes/lane';
import { queueUrls } from '../lanes/queue-urls';
import type { Budgets } from '../limits';
import type { AgentStore } from '../state';
import { type BacklogLimits, backlogLimitsOf } from './backlog-limits';
import { IntakeAuth } from './intake-auth';
import {
  INBOX_ACTIONS,
  INVOKE_API_ACTIONS,
  QUEUE_AGE_ACTIONS,
  QUEUE_LENGTH_ACTIONS,
  ROUTER_ALIAS_ACTIONS,
} from './perms';

/** What a user of the library may choose about the intake. */
export interface IntakeOptions {
  /**
   * Who may call the HTTP API.
   *
   * @default IntakeAuth.iam()
   */
  readonly auth?: IntakeAuth;

  /**
   * Queue for direct producers: other queues, events. Messages have the body of `POST /tasks`. Give it a dead-letter
   * queue: what is not a valid request ends there. Its visibility timeout must be at least 120 seconds.
   *
   * @default - a queue with a dead-letter queue and an alarm
   */
  readonly inbox?: IQueue;

  /**
   * When to answer 429 with `Retry-After` instead of accepting more. Messages in the inbox are not refused: they wait there
   * for some minutes, and then come in.
   *
   * @default - low priority past 5 minutes of waiting, normal past 15, high past 60
   */
  readonly backpressure?: BacklogLimits;

  /**
   * Requests per second that the HTTP API takes on average.
   *
   * @default 100
   */
  readonly rateLimit?: number;

  /**
   * Requests that may come at once.
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

/** What the intake needs to know of webhooks. */
export interface IntakeWebhooks {
  readonly queue: IQueue;
  /** Host names to which webhooks may go although their addresses are private. */
  readonly privateHosts: string[];
}

export interface IntakeProps extends IntakeOptions {
  readonly agentName: string;
  /** Release that the template names. */
  readonly releaseId: string;
  /** Published version of the worker: the router gets a new version whenever the worker does. */
  readonly workerVersion: string;
  readonly store: AgentStore;
  readonly stable: Lane;
  readonly candidate: Lane;
  /** How long a finished task is kept, in whole days. */
  readonly taskRetention: Duration;
  /**
   * Told of the end of tasks with a webhook.
   *
   * @default - tasks with a webhook are refused
   */
  readonly webhooks?: IntakeWebhooks;
  /**
   * Budgets past which tasks are refused, if they are to be.
   *
   * @default - none
   */
  readonly budgets?: Budgets;
  /**
   * Key that encrypts the inbox.
   *
   * @default - keys managed by SQS
   */
  readonly encryptionKey?: IKey;
  /**
   * Told when a message reaches the inbox's dead-letter queue.
   *
   * @default - nobody
   */
  readonly alarmAction?: IAlarmAction;
}

/** Below the 30 seconds after which an HTTP API gives up; leaves the caller time for an answer of ours. */
const ROUTER_TIMEOUT = Duration.seconds(20);

/** A body of 4 MiB is held several times over: as text, as value, as bytes for S3. */
const ROUTER_MEMORY = Size.mebibytes(1024);

/** Reading a result of 4 MiB from S3, twice if need be. */
const STATUS_TIMEOUT = Duration.seconds(20);

/** AWS advises six times the function's timeout for a queue whose messages come in batches. */
const INBOX_VISIBILITY = Duration.seconds(6 * ROUTER_TIMEOUT.toSeconds());

/** Invocations that work on the inbox at once: a flood of events shall not take all the concurrency of the account. */
const INBOX_CONCURRENCY = 10;

/** Time that SQS keeps what nobody fetches, at most. */
const INBOX_RETENTION = Duration.days(14);

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

/**
 * Where tasks come in: HTTP API and inbox queue, both through the router; and where their callers look at them, cancel
 * them, and say what they think of the results.
 *
 * A request may be 4 MiB large, and so may a result: an HTTP API takes 10 MB, but the event and the answer of a function
 * 6 MB with everything around them (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html,
 * https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). A message in the inbox may be 1 MiB large.
 */
export class Intake extends Construct {
  readonly api: HttpApi;
  readonly stage: HttpStage;
  readonly inbox: IQueue;
  /** In ALARM while the inbox's dead-letter queue holds a message; undefined for an inbox that was handed in. */
  readonly inboxDeadLetterAlarm?: Alarm;
  readonly router: LambdaFunction;
  /** Published version of the router that belongs to the release. */
  readonly routerVersion: IVersion;
  /** Alias `live` of the router: what a rollout shifts. */
  readonly live: Alias;
  /** Lets the router read its own aliases. Not among the router's own dependencies: that would be a cycle. */
  readonly aliasPolicy: Policy;
  /** Tells of a task, cancels it, takes feedback. */
  readonly status: LambdaFunction;
  private readonly agentName: string;

  constructor(scope: Construct, id: string, props: IntakeProps) {
    super(scope, id);
    this.agentName = props.agentName;
    const retentionDays = props.taskRetention.toDays({ integral: false });
    if (!Number.isInteger(retentionDays) || retentionDays < 1) {
      throw laneError(
        this,
        'InvalidTaskRetention',
        `taskRetention must be whole days, at least 1, got ${describeValue(props.taskRetention)}; use Duration.days()`,
      );
    }
    const logRetention = props.logRetention ?? RetentionDays.ONE_MONTH;
    const auth = (props.auth ?? IntakeAuth.iam()).bind(this);
    const lanes = [props.stable, props.candidate];

    this.router = new BundledFunction(this, 'Router', {
      bundle: 'router',
      description: 'Accepts tasks, records them and puts them into the queue of the right lane',
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
        [Env.BACKLOG_LIMITS]: JSON.stringify(backlogLimitsOf(this, props.backpressure)),
        [Env.AUTH]: auth.mode,
        [Env.TASK_RETENTION_DAYS]: String(retentionDays),
        ...webhookEnvironment(props.webhooks),
        ...(props.budgets === undefined ? {} : { [Env.BUDGETS]: JSON.stringify(props.budgets._settings()) }),
      },
    });
    props.store.grantIntake(this.router);
    if (props.budgets !== undefined) {
      props.store.grantReadBudgets(this.router);
    }
    for (const lane of lanes) {
      lane.grantSend(this.router);
    }
    grantSeeBacklog(lanes, this.router);
    // The CDK's classes and interfaces disagree about undefined under exactOptionalPropertyTypes; hence the casts.
    this.routerVersion = this.router.currentVersion;
    this.live = new Alias(this, 'Live', {
      aliasName: ROUTER_ALIAS,
      version: this.routerVersion,
      description: 'Shifted by CodeDeploy; its weights are the valve between the lanes',
    });
    const live = this.live;
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
      description: 'Tells of a task, cancels it, takes what users think of its result',
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
    props.store.grantStatus(this.status);
    grantSeeBacklog(lanes, this.status);
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
      stageName: '$default',
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
      integration: new HttpLambdaIntegration('Submit', live),
      authorizer: auth.authorizer,
    });
    const aboutTasks = new HttpLambdaIntegration('Read', this.status);
    this.api.addRoutes({
      path: `${TASKS_PATH}/{id}`,
      methods: [HttpMethod.GET, HttpMethod.DELETE],
      integration: aboutTasks,
      authorizer: auth.authorizer,
    });
    this.api.addRoutes({
      path: `${TASKS_PATH}/{id}${FEEDBACK_PATH}`,
      methods: [HttpMethod.POST],
      integration: aboutTasks,
      authorizer: auth.authorizer,
    });

    if (props.inbox === undefined) {
      const { inbox, alarm } = this.makeInbox(props);
      this.inbox = inbox;
      this.inboxDeadLetterAlarm = alarm;
    } else {
      this.inbox = props.inbox;
      if (props.inbox instanceof Queue && props.inbox.deadLetterQueue === undefined) {
        Annotations.of(this).addWarningV2(
          'cdk-agent-lanes:inboxWithoutDeadLetters',
          'the inbox that was handed in has no dead-letter queue: messages that are no valid request come back until they expire; give it one',
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
      target: live,
      eventSourceArn: this.inbox.queueArn,
      batchSize: 10,
      reportBatchItemFailures: true,
      maxConcurrency: INBOX_CONCURRENCY,
    });
    receive.applyBefore(mapping);
  }

  /** URL of `POST /tasks` without the path. */
  get endpoint(): string {
    return this.api.apiEndpoint;
  }

  /** Lets somebody submit tasks: over HTTP (with IAM authorization) and through the inbox. */
  grantSubmit(grantee: IGrantable): Grant {
    return this.grantInvoke(grantee, HttpMethod.POST, TASKS_PATH).combine(grantSend(this.inbox, grantee));
  }

  /** Lets somebody read status and results over HTTP (with IAM authorization). */
  grantRead(grantee: IGrantable): Grant {
    return this.grantInvoke(grantee, HttpMethod.GET, `${TASKS_PATH}/*`);
  }

  /** Lets somebody cancel tasks over HTTP (with IAM authorization). */
  grantCancel(grantee: IGrantable): Grant {
    return this.grantInvoke(grantee, HttpMethod.DELETE, `${TASKS_PATH}/*`);
  }

  /** Lets somebody say over HTTP (with IAM authorization) what a user thinks of a result. */
  grantFeedback(grantee: IGrantable): Grant {
    return this.grantInvoke(grantee, HttpMethod.POST, `${TASKS_PATH}/*${FEEDBACK_PATH}`);
  }

  /** Tasks accepted by the router. Count; sum by default. */
  metricAccepted(options: MetricOptions = {}): Metric {
    return this.metric(IntakeMetric.ACCEPTED, options);
  }

  /** Requests refused by the router: invalid, in conflict, too large, too many. Count; sum by default. */
  metricRefused(options: MetricOptions = {}): Metric {
    return this.metric(IntakeMetric.REFUSED, options);
  }

  /** Of the refused: those answered 429 because too much waits. Count; sum by default. */
  metricShed(options: MetricOptions = {}): Metric {
    return this.metric(IntakeMetric.SHED, options);
  }

  /** Tasks cancelled while they were queued. Count; sum by default. */
  metricCancelled(options: MetricOptions = {}): Metric {
    return this.metric(IntakeMetric.CANCELLED, options);
  }

  /** Judgements by users. Count; sum by default. */
  metricFeedback(options: MetricOptions = {}): Metric {
    return this.metric(IntakeMetric.FEEDBACK, options);
  }

  private metric(metricName: string, options: MetricOptions): Metric {
    return new Metric({
      namespace: METRIC_NAMESPACE,
      metricName,
      dimensionsMap: { [Dimension.AGENT]: this.agentName },
      statistic: Stats.SUM,
      ...options,
    });
  }

  private grantInvoke(grantee: IGrantable, method: HttpMethod, path: string): Grant {
    const arn = Stack.of(this).formatArn({
      service: 'execute-api',
      resource: this.api.apiId,
      resourceName: `${this.stage.stageName}/${method}${path}`,
      arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
    });
    if (path.includes('*') && Construct.isConstruct(grantee.grantPrincipal)) {
      acknowledgeWildcard(
        grantee.grantPrincipal,
        arn,
        `The wildcard stands for the ids of tasks, which are not known at synth, behind one method of one route (${method})`,
      );
    }
    return Grant.addToPrincipal({ grantee, actions: INVOKE_API_ACTIONS, resourceArns: [arn] });
  }

  private makeInbox(props: IntakeProps): { inbox: Queue; alarm: Alarm } {
    const encryption =
      props.encryptionKey === undefined
        ? { encryption: QueueEncryption.SQS_MANAGED }
        : { encryption: QueueEncryption.KMS, encryptionMasterKey: props.encryptionKey };
    const common = { ...encryption, enforceSSL: true, retentionPeriod: INBOX_RETENTION };
    const deadLetters = new Queue(this, 'InboxDeadLetters', common);
    const alarm = new Alarm(this, 'InboxDeadLetterAlarm', {
      metric: deadLetters.metricApproximateNumberOfMessagesVisible({
        period: Duration.minutes(1),
        statistic: Stats.MAXIMUM,
      }),
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      threshold: 0,
      evaluationPeriods: 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
      alarmDescription:
        `Agent '${props.agentName}': messages in the inbox could not be accepted as tasks and lie in its dead-letter ` +
        "queue. What to do: the router's log says what is wrong with each; mend the producer, then redrive the queue.",
    });
    if (props.alarmAction !== undefined) {
      alarm.addAlarmAction(props.alarmAction);
    }
    const inbox = new Queue(this, 'Inbox', {
      ...common,
      visibilityTimeout: INBOX_VISIBILITY,
      deadLetterQueue: { queue: deadLetters, maxReceiveCount: 5 },
    });
    return { inbox, alarm };
  }
}

/** What the router is told of webhooks: whether there are any, and which private hosts they may go to. */
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

/** Lets a function see how much waits in the lanes, and for how long. */
function grantSeeBacklog(lanes: readonly Lane[], { role }: LambdaFunction): void {
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
    'CloudWatch knows no resource for cloudwatch:GetMetricData (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html)',
  );
}
