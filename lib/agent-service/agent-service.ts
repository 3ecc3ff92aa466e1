import { Annotations, ArnFormat, CfnOutput, Duration, Names, type RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import type { Alarm } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { type ITopic, Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { laneError } from '../common';
import { DEFAULT_MAX_ATTEMPTS, RECEIVE_COUNT_HEADROOM } from '../contract';
import type { AgentEnvironment } from '../environments';
import { checkBehaviorAgrees, checkServiceAgrees } from '../environments/conflicts';
import { joinEnvironment } from '../environments/staged-service';
import { type CapabilityFlag, type FlagDeploymentStrategy, Flags } from '../flags';
import { type QualityGate, QualityGates } from '../gates';
import { Intake, type IntakeOptions } from '../intake';
import { AgentLane, Lane } from '../lanes';
import type { Budgets, RateLimit } from '../limits';
import { BudgetAlarm, BudgetOwner } from '../limits/budget-alarm';
import { TaskMetrics } from '../metrics';
import { AgentDashboard } from '../observability/agent-dashboard';
import { Redrive } from '../redrive';
import { type Behavior, Release } from '../release';
import type { RolloutConfig } from '../rollout';
import { Rollout, TrafficShift } from '../rollout';
import { AgentStore } from '../state';
import type { WebhookDelivery, Webhooks } from '../webhooks';
import type { AgentWorker, Transcripts, WorkerSpec } from '../worker';
import { AgentGrants } from './agent-grants';
import { ALARM_KEY_ACTIONS, ALARM_TOPIC_ACTIONS } from './perms';

export interface AgentServiceProps {
  /** Prompts, tools, model, limits. */
  readonly behavior: Behavior;
  /** What runs the tasks. */
  readonly worker: WorkerSpec;

  /**
   * Where the agent runs: says what is logged, what is kept, and for how long, and what the behavior may use
   * (`environment.behavior(directory)` makes one that fits). Whatever else of the props says otherwise is refused.
   *
   * @default - none: each prop has its own default
   */
  readonly environment?: AgentEnvironment;

  /**
   * How a new release reaches the users.
   *
   * @default - a canary: 10 % of the users for 30 minutes, then all; 20 tasks of evidence
   */
  readonly rollout?: Rollout;

  /**
   * What may stop a rollout, by name.
   *
   * @default - none: the preflight and the evidence check alone guard the users
   */
  readonly gates?: { readonly [name: string]: QualityGate };

  /**
   * Secrets by the name under which the agent asks for them. Read at run time, by ARN: never in the template, never in
   * the environment. The model's own (`ModelSpec.anthropic(…, { secretName })`) must be among them.
   *
   * @default - none
   */
  readonly secrets?: { readonly [name: string]: ISecret };

  /**
   * Tables and bucket of this agent alone.
   *
   * @default - created, with `removalPolicy` and `encryptionKey`
   */
  readonly store?: AgentStore;

  /**
   * HTTP API and inbox.
   *
   * @default - IAM authorization and an inbox of its own
   */
  readonly intake?: IntakeOptions;

  /**
   * Told about gates that fire and messages in dead-letter queues. Its policy must let `cloudwatch.amazonaws.com`
   * publish (a topic with `enforceSSL` has a policy), and if it is encrypted with a key, the key's policy must let
   * CloudWatch use it.
   *
   * @default - a topic is created; subscribe to `agent.topic`
   */
  readonly topic?: ITopic;

  /**
   * Key that encrypts the tables, the bucket, the queues and the topic that are created here. The stack then needs a region
   * (`env: { region }`): a table names the key of each of its regions.
   *
   * @default - keys that AWS owns or manages
   */
  readonly encryptionKey?: IKey;

  /**
   * Name of the agent: value of the metric dimension, subject of the audit trail. 1 to 64 letters, digits, `-`, `_`, `.`
   *
   * @default - derived from the construct's path
   */
  readonly agentName?: string;

  /**
   * How long a finished task and its result are kept: whole days.
   *
   * @default Duration.days(30)
   */
  readonly taskRetention?: Duration;

  /**
   * Attempts that a task gets, 1 to 100, before it fails for good and goes to the dead-letter queue. Not counted are
   * attempts that a worker handed back, and those in which the provider's limit made the task wait.
   *
   * @default 5
   */
  readonly maxAttempts?: number;

  /**
   * Tasks of one user that run at once, 1 to 1000; further ones wait in their queue.
   *
   * @default - not limited
   */
  readonly maxInFlightPerUser?: number;

  /**
   * What each provider (`anthropic`, `openai`, `bedrock`, `openai_compatible`) allows, shared by all workers of all lanes. A
   * task that has to wait waits in its queue; the live lanes' tasks come before probes, and these before shadow tasks.
   *
   * @default - not limited: a task that the provider turns away waits
   */
  readonly rateLimits?: { readonly [provider: string]: RateLimit };

  /**
   * What the agent, and each of its users, may cost a day, beside the budget of a task (`Limits.maxCost`). At 80 % of the
   * agent's, or of any one user's, the topic is told.
   *
   * @default - no such budgets
   */
  readonly budgets?: Budgets;

  /**
   * Telling callers that their tasks have ended.
   *
   * @default - tasks with a webhook are refused; callers ask for the status
   */
  readonly webhooks?: Webhooks;

  /**
   * What is on for some users and not for others, by the name under which the agent reads it (`ctx.flags`). No part of the
   * release: a change is a deployment of AppConfig, taken back by the gates of the flags.
   *
   * @default - none
   */
  readonly flags?: { readonly [name: string]: CapabilityFlag };

  /**
   * How a change of the flags reaches the workers.
   *
   * @default - a fifth of the execution environments every two minutes, then ten minutes of watching
   */
  readonly flagDeployment?: FlagDeploymentStrategy;

  /**
   * Recording of all that is said to the model and by it.
   *
   * @default - nothing is recorded
   */
  readonly transcripts?: Transcripts;

  /**
   * What becomes of the tables and of the payload bucket when the stack is deleted. CloudFormation deletes the bucket only
   * when it is empty; see `AgentStoreProps.removalPolicy`.
   *
   * @default RemovalPolicy.RETAIN
   */
  readonly removalPolicy?: RemovalPolicy;
}

/** One agent in production: intake, lanes, worker, state, rollout, gates, dashboard. */
export class AgentService extends Construct {
  readonly agentName: string;
  readonly release: Release;
  /** Grant to it what the agent's tools need: `bucket.grantRead(agent.worker)`. */
  readonly worker: AgentWorker;
  readonly store: AgentStore;
  readonly stable: Lane;
  readonly candidate: Lane;
  readonly intake: Intake;
  /** Undefined for an agent without webhooks. */
  readonly webhooks: WebhookDelivery | undefined;
  /** Fires at 80 % of the agent's budget for a day. Undefined without such a budget. */
  readonly budgetAlarm: Alarm | undefined;
  /** Fires at 80 % of any one user's budget for a day. Undefined without such a budget. */
  readonly userBudgetAlarm: Alarm | undefined;
  /** Undefined for an agent without flags. */
  readonly flags: Flags | undefined;
  /** Lists dead tasks and sends them back. */
  readonly redrive: Redrive;
  readonly gates: QualityGates;
  readonly rollout: RolloutConfig;
  readonly topic: ITopic;
  readonly dashboard: AgentDashboard;
  /** Who may submit, read, cancel, judge, redrive. */
  readonly grants: AgentGrants;
  /** Metrics of the agent over all lanes and releases. */
  readonly metrics: TaskMetrics;
  /** Metrics of the release that the template names. */
  readonly releaseMetrics: TaskMetrics;

  constructor(scope: Construct, id: string, props: AgentServiceProps) {
    super(scope, id);
    const { encryptionKey, environment } = props;
    if (environment !== undefined) {
      checkServiceAgrees(this, environment, {
        removalPolicy: props.removalPolicy,
        taskRetention: props.taskRetention,
        'intake.logRetention': props.intake?.logRetention,
        rateLimits: props.rateLimits,
        budgets: props.budgets?.daily,
      });
      checkBehaviorAgrees(this, environment, props.behavior);
    }
    this.agentName = this.checkedName(props.agentName ?? Names.uniqueResourceName(this, { maxLength: 64 }));
    const secrets = { ...props.secrets };
    const keyed = encryptionKey === undefined ? {} : { encryptionKey };
    const removalPolicy = environment?.removalPolicy ?? props.removalPolicy;
    const kept = {
      removalPolicy,
      ...(environment === undefined ? {} : { deletionProtection: environment.deletionProtection }),
    };
    const rateLimits = environment?.rateLimits ?? props.rateLimits;
    const budgets = environment?.budgets ?? props.budgets;
    const maxAttempts = props.maxAttempts ?? DEFAULT_MAX_ATTEMPTS;
    const taskRetention = environment?.taskRetention ?? props.taskRetention ?? Duration.days(30);

    this.topic = props.topic ?? this.makeTopic(encryptionKey);
    const action = new SnsAction(this.topic);
    this.store = props.store ?? new AgentStore(this, 'Store', { ...keyed, ...kept });
    this.webhooks = props.webhooks?.bind(this, 'Webhooks', {
      agentName: this.agentName,
      store: this.store,
      alarmAction: action,
      ...keyed,
    });
    const described = props.worker.describe(this, props.behavior);
    this.release = new Release(this, 'Release', { behavior: props.behavior, worker: described });
    this.flags =
      props.flags === undefined
        ? undefined
        : new Flags(this, 'Flags', {
            agentName: this.agentName,
            flags: props.flags,
            alarmAction: action,
            deploymentStrategy: props.flagDeployment,
          });
    this.worker = props.worker.bind(this, 'Worker', {
      agentName: this.agentName,
      release: this.release,
      store: this.store,
      secrets,
      taskRetention,
      maxAttempts,
      ...(environment === undefined
        ? {}
        : {
            logRetention: environment.logRetention,
            availability: { standby: environment.standbyWorkers, floor: environment._workersAtWork },
          }),
      maxInFlightPerUser: props.maxInFlightPerUser,
      rateLimits,
      budgets,
      transcripts: props.transcripts,
      ...(this.webhooks === undefined ? {} : { webhookQueue: this.webhooks.queue }),
      flags: this.flags,
    });
    this.store._expirePayloads(taskRetention, props.transcripts?.retention);

    const lane = (laneId: string, laneName: AgentLane): Lane =>
      new Lane(this, laneId, {
        laneName,
        agentName: this.agentName,
        visibilityTimeout: this.worker.visibilityTimeout,
        alarmAction: action,
        maxReceiveCount: maxAttempts + RECEIVE_COUNT_HEADROOM,
        ...keyed,
      });
    this.stable = lane('Stable', AgentLane.STABLE);
    this.candidate = lane('Candidate', AgentLane.CANDIDATE);

    this.intake = new Intake(this, 'Intake', {
      ...props.intake,
      ...keyed,
      agentName: this.agentName,
      releaseId: this.release.releaseId,
      workerVersion: this.worker.version,
      store: this.store,
      stable: this.stable,
      candidate: this.candidate,
      taskRetention,
      alarmAction: action,
      ...(this.webhooks === undefined ? {} : { webhooks: this.webhooks }),
      ...(budgets === undefined ? {} : { budgets }),
    });
    if (budgets?.daily.agent !== undefined) {
      const owner = BudgetOwner.AGENT;
      this.budgetAlarm = new BudgetAlarm(this, 'BudgetAlarm', {
        agentName: this.agentName,
        owner,
        alarmAction: action,
      }).alarm;
    }
    if (budgets?.daily.user !== undefined) {
      const owner = BudgetOwner.USER;
      this.userBudgetAlarm = new BudgetAlarm(this, 'UserBudgetAlarm', {
        agentName: this.agentName,
        owner,
        alarmAction: action,
      }).alarm;
    }
    this.redrive = new Redrive(this, 'Redrive', {
      agentName: this.agentName,
      store: this.store,
      stable: this.stable,
      candidate: this.candidate,
      taskRetention,
    });
    this.gates = new QualityGates(this, 'Gates', {
      agentName: this.agentName,
      releaseId: this.release.releaseId,
      gates: props.gates ?? {},
      alarmAction: action,
    });
    const rollout =
      props.rollout ?? Rollout.codeDeploy(TrafficShift.canary({ percentage: 10, bakeTime: Duration.minutes(30) }));
    this.rollout = rollout.bind(this, 'Rollout', {
      agentName: this.agentName,
      release: this.release,
      worker: this.worker,
      store: this.store,
      stable: this.stable,
      candidate: this.candidate,
      intake: this.intake,
      gates: this.gates,
    });

    this.flags?._deployAfter(this.rollout.promoted);

    this.metrics = TaskMetrics.ofAgent(this.agentName);
    this.releaseMetrics = TaskMetrics.ofRelease(this.agentName, this.release.releaseId);
    this.dashboard = new AgentDashboard(this, 'Dashboard', {
      agentName: this.agentName,
      releaseId: this.release.releaseId,
      worker: this.worker,
      stable: this.stable,
      candidate: this.candidate,
      intake: this.intake,
      gates: this.gates,
      webhooks: this.webhooks,
    });
    this.grants = new AgentGrants(this.intake, this.redrive, this.store);
    this.outputs();
    if (environment !== undefined) {
      joinEnvironment(this, environment, {
        agentName: this.agentName,
        props,
        release: this.release,
        worker: { ...described.operation, ...described.settings },
        secretNames: Object.keys(secrets),
      });
    }
  }

  private checkedName(name: string): string {
    if (Token.isUnresolved(name) || !/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) {
      throw laneError(
        this,
        'InvalidAgentName',
        `agentName is '${name}', expected 1 to 64 letters, digits, '-', '_' or '.', a letter or digit first, known at synth; it becomes a metric dimension`,
      );
    }
    return name;
  }

  private makeTopic(encryptionKey: IKey | undefined): Topic {
    const topic = new Topic(this, 'Alerts', {
      enforceSSL: true,
      displayName: `Alerts of agent ${this.agentName}`,
      masterKey: encryptionKey,
    });
    // A topic with a policy of its own no longer lets the account's alarms publish by itself.
    const alarms = {
      principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
      conditions: {
        ArnLike: {
          'aws:SourceArn': Stack.of(this).formatArn({
            service: 'cloudwatch',
            resource: 'alarm',
            resourceName: '*',
            arnFormat: ArnFormat.COLON_RESOURCE_NAME,
          }),
        },
      },
    };
    topic.addToResourcePolicy(
      new PolicyStatement({ ...alarms, sid: 'Alarms', actions: ALARM_TOPIC_ACTIONS, resources: [topic.topicArn] }),
    );
    const added = encryptionKey?.addToResourcePolicy(
      new PolicyStatement({ ...alarms, sid: 'Alarms', actions: ALARM_KEY_ACTIONS, resources: ['*'] }),
    );
    if (added?.statementAdded === false) {
      Annotations.of(this).addWarningV2(
        'cdk-agent-lanes:topicKey',
        "the policy of the encryptionKey cannot be changed from here: let cloudwatch.amazonaws.com use kms:Decrypt and kms:GenerateDataKey on it, or the alarms' messages are lost",
      );
    }
    return topic;
  }

  /** What a caller, an operator or the rehearsal needs to know of the deployed stack. */
  private outputs(): void {
    const output = (id: string, value: string, description: string) =>
      new CfnOutput(this, id, { value, description: `${description} of agent ${this.agentName}` });
    output('Endpoint', this.intake.endpoint, 'URL of the HTTP API');
    output('InboxUrl', this.intake.inbox.queueUrl, 'Queue for direct producers');
    output('ReleaseId', this.release.releaseId, 'Release in the template');
    output('AgentName', this.agentName, 'Name');
    output('TasksTable', this.store.tasks.tableName, 'Table of tasks');
    output('SessionsTable', this.store.sessions.tableName, 'Table of sessions');
    output('ControlTable', this.store.control.tableName, 'Table of releases, routing and audit');
    output('RedriveFunction', this.redrive.function.functionName, 'Function that sends dead tasks back,');
    if (this.webhooks !== undefined) {
      output('WebhookSecret', this.webhooks.secret.secretArn, 'Secret that signs the webhooks');
    }
    output('PayloadBucket', this.store.payloads.bucketName, 'Bucket of large inputs and results, and of transcripts,');
  }
}
