import { Annotations, ArnFormat, CfnOutput, Duration, Names, type RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import type { Alarm, Dashboard } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { type ITopic, Topic } from 'aws-cdk-lib/aws-sns';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
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
import { AgentDashboard } from '../observability/agent-dashboard';
import { Redrive } from '../redrive';
import { type Behavior, type IRelease, Release } from '../release';
import type { RolloutConfig } from '../rollout';
import { Rollout, TrafficShift } from '../rollout';
import { AgentStore } from '../state';
import type { WebhookDelivery, Webhooks } from '../webhooks';
import type { IAgentWorker, Transcripts, WorkerSpec } from '../worker';
import { AgentGrants } from './agent-grants';
import { AgentServiceBase, type IAgentService } from './agent-service-base';
import { type AgentServiceAttributes, ImportedAgentService } from './imported-agent-service';
import { ALARM_KEY_ACTIONS, ALARM_TOPIC_ACTIONS } from './perms';

/** Construct props of {@link AgentService}. */
export interface AgentServiceProps {
  /** Prompts, tools, model, limits. */
  readonly behavior: Behavior;
  /** What runs the tasks. */
  readonly worker: WorkerSpec;

  /**
   * Where the agent runs: what is logged, what is kept and for how long, and what the behavior may use
   * (`environment.behavior(directory)` creates a suitable one). Props that contradict the environment are an error.
   *
   * @default - no environment: each prop has its own default
   */
  readonly environment?: AgentEnvironment;

  /**
   * How a new release reaches the users.
   *
   * @default - a canary: 10 % of the users for 30 minutes, then all; 20 tasks of evidence
   */
  readonly rollout?: Rollout;

  /**
   * Gates that can stop a rollout, by name: 1 to 64 letters and digits, a letter first. At most 10 critical ones
   * (https://docs.aws.amazon.com/codedeploy/latest/userguide/limits.html).
   *
   * @default - no gates: only the preflight and the evidence check protect the users
   */
  readonly gates?: { readonly [name: string]: QualityGate };

  /**
   * Secrets by the name under which the agent reads them, at run time and by ARN: their values are neither in the template
   * nor in environment variables. The secret of the model (`ModelSpec.anthropic(…, { secretName })`) must be among them.
   *
   * @default - no secrets
   */
  readonly secrets?: { readonly [name: string]: ISecret };

  /**
   * Tables and bucket; each agent needs its own.
   *
   * @default - created, with `removalPolicy` and `encryptionKey`
   */
  readonly store?: AgentStore;

  /**
   * HTTP API and inbox.
   *
   * @default - IAM authorization and a new inbox
   */
  readonly intake?: IntakeOptions;

  /**
   * Notified about gates that breach, budgets, and messages in dead-letter queues. The policy of an existing topic must let
   * `cloudwatch.amazonaws.com` publish (a topic with `enforceSSL` has a policy), and the policy of its key must let
   * CloudWatch use the key
   * (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html).
   *
   * @default - a topic is created; subscribe to `agent.topic`
   */
  readonly topic?: ITopic;

  /**
   * Key that encrypts the tables, the bucket, the queues and the topic that the agent creates. The stack then needs a
   * concrete region (`env: { region }`): a table names the key of each of its regions.
   *
   * @default - keys that AWS owns or manages
   */
  readonly encryptionKey?: IKey;

  /**
   * Name of the agent: value of the metric dimension `Agent`, and subject of the audit trail. 1 to 64 letters, digits, `-`,
   * `_`, `.`, a letter or digit first.
   *
   * @default - derived from the construct's path
   */
  readonly agentName?: string;

  /**
   * How long a finished task and its result are kept: whole days, at least 1.
   *
   * @default Duration.days(30)
   */
  readonly taskRetention?: Duration;

  /**
   * Attempts of a task before it fails finally and moves to the dead-letter queue: an integer between 1 and 100. Attempts
   * that a worker requeued, and those that waited for a rate limit of the provider, do not count.
   *
   * @default 5
   */
  readonly maxAttempts?: number;

  /**
   * Tasks of one user that run at once: an integer between 1 and 1,000. Further tasks wait in their queue.
   *
   * @default - not limited
   */
  readonly maxInFlightPerUser?: number;

  /**
   * What each provider (`anthropic`, `openai`, `bedrock`, `openai_compatible`) allows, shared by all workers of all lanes. A
   * task that must wait does so in its queue. Tasks of users have priority over probes, and probes over shadow tasks.
   *
   * @default - not limited: a task that the provider throttles waits
   */
  readonly rateLimits?: { readonly [provider: string]: RateLimit };

  /**
   * What the agent, and each of its users, may cost a day, beside the budget of a task (`TaskLimits.maxCost`). The topic is
   * notified at 80 % of the agent's budget, and of that of a user.
   *
   * @default - no daily budgets
   */
  readonly budgets?: Budgets;

  /**
   * Notifies callers when their tasks have finished.
   *
   * @default - tasks with a webhook are refused; callers poll the status
   */
  readonly webhooks?: Webhooks;

  /**
   * Capabilities that are on for some users, by the name under which the agent reads them (`ctx.flags`). Not part of the
   * release: a change is an AppConfig deployment, and the gates of the flags roll it back.
   *
   * @default - no flags
   */
  readonly flags?: { readonly [name: string]: CapabilityFlag };

  /**
   * How a change of the flags reaches the workers.
   *
   * @default - 20 % of the execution environments every two minutes, and a bake time of ten minutes
   */
  readonly flagDeployment?: FlagDeploymentStrategy;

  /**
   * Records the requests to the model and its answers.
   *
   * @default - no recording
   */
  readonly transcripts?: Transcripts;

  /**
   * What happens to the tables and the payload bucket when the stack is deleted. CloudFormation deletes the bucket only
   * when it is empty; see `AgentStoreProps.removalPolicy`.
   *
   * @default RemovalPolicy.RETAIN
   */
  readonly removalPolicy?: RemovalPolicy;
}

/** One agent in production: intake, lanes, worker, state, rollout, gates, dashboard. */
export class AgentService extends AgentServiceBase {
  /**
   * An agent that another stack created, in the account and region of this one: to submit and read tasks, and to watch it.
   * The outputs of the other stack hold the values of the attributes.
   */
  static fromAgentServiceAttributes(scope: Construct, id: string, attributes: AgentServiceAttributes): IAgentService {
    return new ImportedAgentService(scope, id, attributes);
  }

  /** Name of the agent: value of the metric dimension `Agent`. */
  readonly agentName: string;
  /** Release in the template. */
  readonly release: IRelease;
  /** Grant to it what the agent's tools need: `bucket.grantRead(agent.worker)`. */
  readonly worker: IAgentWorker;
  /** Tables and bucket. */
  readonly store: AgentStore;
  /** Lane of the promoted release. */
  readonly stable: Lane;
  /** Lane of the release that is rolled out. */
  readonly candidate: Lane;
  /** HTTP API and inbox. */
  readonly intake: Intake;
  /** Undefined for an agent without webhooks. */
  readonly webhooks: WebhookDelivery | undefined;
  /** In ALARM at 80 % of the agent's daily budget. Undefined without such a budget. */
  readonly budgetAlarm: Alarm | undefined;
  /** In ALARM at 80 % of the daily budget of a user. Undefined without such a budget. */
  readonly userBudgetAlarm: Alarm | undefined;
  /** Undefined for an agent without flags. */
  readonly flags: Flags | undefined;
  /** Lists and redrives the tasks in the dead-letter queues. */
  readonly redrive: Redrive;
  /** Gates that can stop a rollout. */
  readonly gates: QualityGates;
  /** How releases are rolled out. */
  readonly rollout: RolloutConfig;
  /** Notified about gates that breach, budgets, and messages in dead-letter queues. */
  readonly topic: ITopic;
  /** The agent's dashboard. */
  readonly dashboard: Dashboard;
  /** Permissions for callers and operators. */
  readonly grants: AgentGrants;
  private readonly declaredGates: { [name: string]: QualityGate };
  private readonly declaredFlags: { [name: string]: CapabilityFlag };

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
    this.declaredGates = { ...props.gates };
    this.declaredFlags = { ...props.flags };
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

    this.topic = props.topic ?? this.createTopic(encryptionKey);
    const alarmAction = new SnsAction(this.topic);
    this.store = props.store ?? new AgentStore(this, 'Store', { ...keyed, ...kept });
    this.webhooks = props.webhooks?._bind(this, 'Webhooks', {
      agentName: this.agentName,
      store: this.store,
      alarmAction,
      ...keyed,
    });
    const described = props.worker._describe(this, props.behavior);
    const release = new Release(this, 'Release', { behavior: props.behavior, worker: described });
    this.release = release;
    this.flags =
      props.flags === undefined
        ? undefined
        : new Flags(this, 'Flags', {
            agentName: this.agentName,
            flags: props.flags,
            alarmAction,
            deploymentStrategy: props.flagDeployment,
          });
    const worker = props.worker._bind(this, 'Worker', {
      agentName: this.agentName,
      release,
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
    this.worker = worker;
    this.store._expirePayloads(taskRetention, props.transcripts?.retention);

    const lane = (laneId: string, laneName: AgentLane): Lane =>
      new Lane(this, laneId, {
        laneName,
        agentName: this.agentName,
        visibilityTimeout: worker.visibilityTimeout,
        alarmAction,
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
      workerVersion: worker.version,
      store: this.store,
      stable: this.stable,
      candidate: this.candidate,
      taskRetention,
      alarmAction,
      ...(this.webhooks === undefined ? {} : { webhooks: this.webhooks }),
      ...(budgets === undefined ? {} : { budgets }),
    });
    if (budgets?.daily.agent !== undefined) {
      const owner = BudgetOwner.AGENT;
      this.budgetAlarm = new BudgetAlarm(this, 'BudgetAlarm', {
        agentName: this.agentName,
        owner,
        alarmAction,
      }).alarm;
    }
    if (budgets?.daily.user !== undefined) {
      const owner = BudgetOwner.USER;
      this.userBudgetAlarm = new BudgetAlarm(this, 'UserBudgetAlarm', {
        agentName: this.agentName,
        owner,
        alarmAction,
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
      alarmAction,
    });
    const rollout =
      props.rollout ?? Rollout.codeDeploy(TrafficShift.canary({ percentage: 10, bakeTime: Duration.minutes(30) }));
    this.rollout = rollout._bind(this, 'Rollout', {
      agentName: this.agentName,
      release,
      worker,
      store: this.store,
      stable: this.stable,
      candidate: this.candidate,
      intake: this.intake,
      gates: this.gates,
    });

    this.flags?._deployAfter(this.rollout.promoted);

    this.dashboard = new AgentDashboard(this, 'Dashboard', {
      agentName: this.agentName,
      releaseId: this.release.releaseId,
      worker,
      stable: this.stable,
      candidate: this.candidate,
      intake: this.intake,
      gates: this.gates,
      webhooks: this.webhooks,
    }).dashboard;
    this.grants = AgentGrants._on(this, {
      intake: this.intake,
      redriveFunction: this.redrive.function,
      payloads: this.store.payloads,
    });
    this.outputs();
    if (environment !== undefined) {
      joinEnvironment(this, environment, {
        agentName: this.agentName,
        props: { ...props, gates: this.declaredGates, flags: this.declaredFlags },
        release,
        worker: { ...described.operation, ...described.settings },
        secretNames: Object.keys(secrets),
      });
    }
  }

  /** URL of the HTTP API, without a path: tasks are submitted to `<endpoint>/tasks`. */
  get endpoint(): string {
    return this.intake.endpoint;
  }

  /** Queue for direct producers. Messages have the body of `POST /tasks`. */
  get inbox(): IQueue {
    return this.intake.inbox;
  }

  /**
   * Adds a gate that can stop a rollout.
   *
   * @param name becomes part of the alarm's logical id: 1 to 64 letters and digits, a letter first
   */
  addGate(name: string, gate: QualityGate): Alarm {
    const alarm = this.gates.addGate(name, gate);
    this.declaredGates[name] = gate;
    return alarm;
  }

  /**
   * Adds a flag. The agent must have at least one in `flags`: its workers are set up to read them when they are created.
   *
   * @param name under which the agent reads the flag: 1 to 64 letters, digits, `-` or `_`, a letter first
   */
  addFlag(name: string, flag: CapabilityFlag): void {
    if (this.flags === undefined) {
      throw laneError(
        this,
        'MissingFlags',
        `flag "${name}" cannot be added to an agent without flags, for its workers were created without access to them: declare at least one flag in flags of AgentService`,
      );
    }
    this.flags.addFlag(name, flag);
    this.declaredFlags[name] = flag;
  }

  private checkedName(name: string): string {
    if (Token.isUnresolved(name) || !/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) {
      throw laneError(
        this,
        'InvalidAgentName',
        `agentName is '${Token.isUnresolved(name) ? 'a token' : name}', expected 1 to 64 letters, digits, '-', '_' or '.', a letter or digit first; it becomes a metric dimension`,
      );
    }
    return name;
  }

  private createTopic(encryptionKey: IKey | undefined): Topic {
    const topic = new Topic(this, 'Alerts', {
      enforceSSL: true,
      displayName: `Alerts of agent ${this.agentName}`,
      masterKey: encryptionKey,
    });
    // A topic with its own policy no longer lets the account's alarms publish by default.
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

  /** Values that callers, operators, importing stacks and the rehearsal need. */
  private outputs(): void {
    const output = (id: string, value: string, description: string) =>
      new CfnOutput(this, id, { value, description: `${description} of agent ${this.agentName}` });
    output('Endpoint', this.intake.endpoint, 'URL of the HTTP API');
    output('ApiId', this.intake.api.apiId, 'Id of the HTTP API');
    output('InboxUrl', this.intake.inbox.queueUrl, 'Queue for direct producers');
    output('InboxArn', this.intake.inbox.queueArn, 'ARN of the queue for direct producers');
    output('ReleaseId', this.release.releaseId, 'Release in the template');
    output('AgentName', this.agentName, 'Name');
    output('TasksTable', this.store.tasks.tableName, 'Table of tasks');
    output('SessionsTable', this.store.sessions.tableName, 'Table of sessions');
    output('ControlTable', this.store.control.tableName, 'Table of releases, routing and audit');
    output('RedriveFunction', this.redrive.function.functionName, 'Function that redrives tasks');
    if (this.webhooks !== undefined) {
      output('WebhookSecret', this.webhooks.secret.secretArn, 'Secret that signs the webhooks');
    }
    output('PayloadBucket', this.store.payloads.bucketName, 'Bucket of large inputs, results and transcripts');
  }
}
