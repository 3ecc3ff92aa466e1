import { Annotations, Duration, Lazy, RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { allowNetworkInterfaces, executionRole, laneError, stageFile } from '../common';
import { DEFAULT_MAX_ATTEMPTS, Env, PlatformLimits, PRIORITIES, type Priority, SPARE_RECEIVES } from '../contract';
import type { ILaneQueues } from '../lanes';
import { grantSend } from '../lanes/grant-send';
import { deadLetterUrls, queueUrls } from '../lanes/queue-urls';
import { rateLimitsOf } from '../limits/rate-limit';
import type { WorkerDescription } from '../release';
import { bundleAgent } from './agent-bundle';
import { AgentWorker } from './agent-worker';
import { checkLambdaSettings, describeSettings, type LambdaSettings, leastEnvironmentBytes } from './lambda-settings';
import type { LambdaWorkerProps } from './lambda-worker-props';
import type { LaneAttachment } from './lane-attachment';
import type { WorkerContext } from './worker-context';

/** Id of the construct under which code that was handed in is bound, so that its digest is known before the function. */
const CODE_SCOPE = 'WorkerCode';

const DEFAULT_HANDLER = 'index.handler';

/**
 * Seconds that a message stays hidden beyond the function's timeout. AWS advises six times the timeout, for batches
 * whose messages wait for each other and for throttled invocations. Here a batch is one message, and the mapping's
 * maximum concurrency keeps it from taking what it cannot start; with six times, a worker that crashed in its first
 * seconds would be tried again at minute 90. From its first heartbeat on, the worker sets the visibility itself, to little
 * more than its lease. Less than the timeout Lambda refuses.
 */
const VISIBILITY_MARGIN_SECONDS = 60;

/** More attempts would bring a task that fails for good back for days. */
const MOST_ATTEMPTS = 100;

/** The running tasks of a user are kept in one item. */
const MOST_IN_FLIGHT_PER_USER = 1_000;

export interface LambdaWorkerBinding {
  readonly worker: LambdaWorkerProps;
  readonly context: WorkerContext;
}

/** What of a Lambda worker goes into the release. */
export function describeLambdaWorker(scope: Construct, props: LambdaWorkerProps): WorkerDescription {
  const settings = checkLambdaSettings(scope, props);
  const { digest, sources } = codeOf(scope, props);
  return {
    codeDigest: digest,
    settings: describeSettings(settings, props.handler ?? DEFAULT_HANDLER),
    timeout: settings.timeout,
    sources,
  };
}

/** A worker on Lambda: one function, a published version for each release, an alias for each lane. */
export class LambdaWorker extends AgentWorker {
  readonly function: lambda.Function;
  readonly grantPrincipal: iam.IPrincipal;
  readonly version: string;
  readonly visibilityTimeout: Duration;
  private readonly published: lambda.IVersion;
  private readonly concurrency: Readonly<Record<Priority, number>>;
  private readonly maxAttempts: number;
  private readonly inVpc: boolean;
  private readonly lanes: ILaneQueues[] = [];

  constructor(scope: Construct, id: string, props: LambdaWorkerBinding) {
    super(scope, id);
    const { worker, context } = props;
    const settings = checkLambdaSettings(this, worker);
    this.concurrency = settings.concurrency;
    this.maxAttempts = this.checkedCount('maxAttempts', context.maxAttempts ?? DEFAULT_MAX_ATTEMPTS, MOST_ATTEMPTS);
    this.visibilityTimeout = settings.timeout.plus(Duration.seconds(VISIBILITY_MARGIN_SECONDS));
    this.inVpc = worker.vpc !== undefined;
    context.store._claimFor(this, context.agentName);
    this.function = this.createFunction(worker, settings, context);
    this.grantPrincipal = this.function.grantPrincipal;
    context.store.grantWorker(this.function);
    if (context.transcripts !== undefined) {
      context.store.grantWriteTranscripts(this.function);
    }
    if (context.webhookQueue !== undefined) {
      grantSend(context.webhookQueue, this.function);
    }
    if (context.rateLimits !== undefined) {
      context.store.grantLimits(this.function);
    }
    if (context.budgets !== undefined) {
      context.store.grantSpend(this.function);
    }
    context.flags?.grantRead(this.function);
    context.release.grantRead(this.function);
    for (const model of context.release.models) {
      model.grantInvoke(this, this.function);
    }
    for (const secret of Object.values(context.secrets)) {
      secret.grantRead(this.function);
    }
    // The CDK's own classes do not fit its interfaces under exactOptionalPropertyTypes.
    this.published = this.function.currentVersion as lambda.IVersion;
    this.version = this.published.version;
    this.node.addValidation({ validate: () => this.checkEnvironmentSize() });
  }

  override get connections(): ec2.Connections {
    if (!this.inVpc) {
      throw laneError(
        this,
        'NoVpc',
        'worker is in no VPC, so it has no connections: expected vpc in the props of Worker.lambda; set it, or leave the security groups out',
      );
    }
    return this.function.connections;
  }

  override attachLane(lane: ILaneQueues): LaneAttachment {
    if (this.lanes.some(({ laneName }) => laneName === lane.laneName)) {
      throw laneError(
        this,
        'LaneAttachedTwice',
        `lane "${lane.laneName}" is already attached to the worker: expected each lane once; use the attachment that the first call returned`,
      );
    }
    this.checkReceives(lane);
    this.lanes.push(lane);
    const name = lane.laneName.charAt(0).toUpperCase() + lane.laneName.slice(1);
    const alias = new lambda.Alias(this, `${name}Alias`, { aliasName: lane.laneName, version: this.published });
    const mappings = PRIORITIES.map((priority) => {
      const queue = lane[priority];
      queue.grantConsumeMessages(this.function);
      return new lambda.EventSourceMapping(this, `${name}${priority.charAt(0).toUpperCase()}${priority.slice(1)}`, {
        target: alias as lambda.IFunction,
        eventSourceArn: queue.queueArn,
        batchSize: 1,
        reportBatchItemFailures: true,
        maxConcurrency: this.concurrency[priority],
      });
    });
    // A worker sends, too: a fresh copy of a task that it hands back (to the other lane, if its release was revoked) or
    // whose message has been received too often, and a task that failed at its last attempt.
    for (const queue of [lane.high, lane.normal, lane.low, lane.deadLetterQueue]) {
      grantSend(queue, this.function);
    }
    return { alias, mappings };
  }

  override metricCrashes(props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.function.metricErrors(props);
  }

  private createFunction(worker: LambdaWorkerProps, settings: LambdaSettings, context: WorkerContext): lambda.Function {
    const logGroup = new logs.LogGroup(this, 'Logs', {
      retention: this.logRetention(worker, context),
      removalPolicy: context.removalPolicy ?? RemovalPolicy.DESTROY,
    });
    const role = executionRole(this, 'Role', logGroup);
    if (worker.vpc !== undefined) {
      allowNetworkInterfaces(role);
    }
    return new lambda.Function(this, 'Function', {
      description: 'Runs the tasks of an agent',
      runtime: settings.runtime,
      architecture: settings.architecture,
      code: this.lambdaCode(worker),
      handler: worker.handler ?? DEFAULT_HANDLER,
      memorySize: settings.memory.toMebibytes(),
      timeout: settings.timeout,
      environment: { ...settings.environment, ...this.contractEnvironment(settings, context) },
      tracing: lambda.Tracing.ACTIVE,
      logGroup,
      role,
      ...(worker.vpc === undefined ? {} : { vpc: worker.vpc }),
      ...(worker.vpcSubnets === undefined ? {} : { vpcSubnets: worker.vpcSubnets }),
      ...(worker.securityGroups === undefined ? {} : { securityGroups: worker.securityGroups }),
      // Not RETAIN: the version of a rollout that is rolled back would stay, unknown to the stack, and deploying the
      // same content again would fail on it.
      currentVersionOptions: { removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE },
    });
  }

  private logRetention(worker: LambdaWorkerProps, context: WorkerContext): logs.RetentionDays {
    const { logRetention: own } = worker;
    const { logRetention: given } = context;
    if (own !== undefined && given !== undefined && own !== given) {
      throw laneError(
        this,
        'EnvironmentConflict',
        `logRetention is ${own} days in the props of Worker.lambda, and ${given} days in the environment of the service: expected one place to say it; leave it out of the worker, or change the environment`,
      );
    }
    return own ?? given ?? logs.RetentionDays.ONE_MONTH;
  }

  private lambdaCode(worker: LambdaWorkerProps): lambda.Code {
    if (worker.entry === undefined) {
      // checkLambdaSettings saw to it that there is one.
      return worker.code as lambda.Code;
    }
    const { code, digest, warnings } = bundleAgent(this, worker.entry);
    for (const warning of warnings) {
      Annotations.of(this).addWarningV2('cdk-agent-lanes:bundle', `worker entry "${worker.entry}": ${warning}`);
    }
    return lambda.Code.fromAsset(stageFile(this, digest, 'index.js', code), { assetHash: digest });
  }

  private contractEnvironment(settings: LambdaSettings, context: WorkerContext): { [name: string]: string } {
    const { release, store, secrets } = context;
    const missing = release.modelSecretNames.find((name) => secrets[name] === undefined);
    if (missing !== undefined) {
      const known = Object.keys(secrets);
      throw laneError(
        this,
        'ModelSecretMissing',
        `a model of the release reads its API key from the secret "${missing}", and ${known.length === 0 ? 'no secret was handed in' : `the secrets are ${known.join(', ')}`}: expected one of that name; add it to secrets, or name another in secretName of the model`,
      );
    }
    const retention = context.taskRetention ?? Duration.days(30);
    const arns = Object.fromEntries(Object.entries(secrets).map(([name, secret]) => [name, secret.secretArn]));
    return {
      [Env.AGENT]: context.agentName,
      [Env.RELEASE]: release.releaseId,
      [Env.TASKS_TABLE]: store.tasks.tableName,
      [Env.SESSIONS_TABLE]: store.sessions.tableName,
      [Env.BEHAVIOR_BUCKET]: release.behaviorBucket,
      [Env.BEHAVIOR_KEY]: release.behaviorKey,
      [Env.SECRETS]: Stack.of(this).toJsonString(arns),
      [Env.TASK_RETENTION_DAYS]: String(retention.toDays()),
      [Env.CONTROL_TABLE]: store.control.tableName,
      [Env.PAYLOAD_BUCKET]: store.payloads.bucketName,
      [Env.TRANSCRIPTS]: context.transcripts === undefined ? 'off' : 'on',
      ...(context.webhookQueue === undefined ? {} : { [Env.WEBHOOK_QUEUE]: context.webhookQueue.queueUrl }),
      ...(context.rateLimits === undefined
        ? {}
        : { [Env.RATE_LIMITS]: JSON.stringify(rateLimitsOf(this, context.rateLimits)) }),
      ...(context.budgets === undefined ? {} : { [Env.BUDGETS]: JSON.stringify(context.budgets._settings()) }),
      ...(context.flags === undefined ? {} : { [Env.FLAGS]: context.flags._settings() }),
      [Env.MAX_ATTEMPTS]: String(this.maxAttempts),
      ...(context.maxInFlightPerUser === undefined
        ? {}
        : {
            [Env.MAX_IN_FLIGHT_PER_USER]: String(
              this.checkedCount('maxInFlightPerUser', context.maxInFlightPerUser, MOST_IN_FLIGHT_PER_USER),
            ),
          }),
      // Lanes are attached once the worker is there.
      [Env.QUEUES]: Lazy.string({ produce: () => queueUrls(this, this.lanes) }),
      [Env.DEAD_LETTER_QUEUES]: Lazy.string({ produce: () => deadLetterUrls(this, this.lanes) }),
      [Env.MAX_RECEIVES]: Lazy.string({
        produce: () => String(this.lanes[0]?.maxReceiveCount ?? this.maxAttempts + SPARE_RECEIVES),
      }),
      [Env.WORKER_TIMEOUT_SECONDS]: String(settings.timeout.toSeconds()),
    };
  }

  private checkedCount(name: string, count: number, most: number): number {
    if (!Number.isInteger(count) || count < 1 || count > most) {
      throw laneError(
        this,
        `Invalid${name.charAt(0).toUpperCase()}${name.slice(1)}`,
        `${name} is ${Token.isUnresolved(count) ? 'a token' : count}: expected a whole number from 1 to ${most}, known at synth`,
      );
    }
    return count;
  }

  /** What a worker is told of receives holds for all its lanes. */
  private checkReceives(lane: ILaneQueues): void {
    const least = this.maxAttempts + SPARE_RECEIVES;
    if (lane.maxReceiveCount < least) {
      throw laneError(
        this,
        'TooFewReceives',
        `lane "${lane.laneName}" gives a message up after ${lane.maxReceiveCount} receives, and a task gets ${this.maxAttempts} attempts: expected at least ${least} receives, for throttled and repeated ones use up receives and no attempts; raise maxReceiveCount of the lane or lower maxAttempts`,
      );
    }
    const [other] = this.lanes;
    if (other !== undefined && other.maxReceiveCount !== lane.maxReceiveCount) {
      throw laneError(
        this,
        'ReceiveCountMismatch',
        `lane "${lane.laneName}" gives a message up after ${lane.maxReceiveCount} receives, lane "${other.laneName}" after ${other.maxReceiveCount}: expected the same number, for one worker serves both and replaces a message at its last receive; give both lanes the same maxReceiveCount`,
      );
    }
  }

  /** Variables may be added to the function to the very end, so their size is known at synth only. */
  private checkEnvironmentSize(): string[] {
    const resource = this.function.node.defaultChild as lambda.CfnFunction;
    const environment: { variables?: { [name: string]: unknown } } = Stack.of(this).resolve(resource.environment) ?? {};
    const bytes = leastEnvironmentBytes(Stack.of(this), environment.variables ?? {});
    const most = PlatformLimits.LAMBDA_ENVIRONMENT;
    return bytes <= most.value
      ? []
      : [
          `environment of the worker is at least ${bytes} bytes: expected at most ${most.value} (${most.source}); move large values to a secret, a parameter, or the behaviour folder`,
        ];
  }
}

/** The code's digest, and the files behind it. */
function codeOf(scope: Construct, props: LambdaWorkerProps): { digest: string; sources: string[] } {
  if (props.entry !== undefined) {
    return bundleAgent(scope, props.entry);
  }
  if (!(props.code instanceof lambda.AssetCode)) {
    throw laneError(
      scope,
      'CodeWithoutDigest',
      `code of the worker is ${props.code?.constructor.name}: expected an asset (Code.fromAsset), for inline code, objects in S3 and images do not say what they hold; give a folder or an archive, or give entry`,
    );
  }
  const place = (scope.node.tryFindChild(CODE_SCOPE) as Construct | undefined) ?? new Construct(scope, CODE_SCOPE);
  const key = props.code.bind(place).s3Location?.objectKey ?? '';
  const digest = /[0-9a-f]{64}/.exec(key)?.[0];
  if (digest === undefined) {
    throw laneError(
      scope,
      'CodeWithoutDigest',
      `key of the worker's code is "${key}", which does not hold its digest: expected the DefaultStackSynthesizer or another one that names assets by content; change the synthesizer, or give entry`,
    );
  }
  return { digest, sources: [props.code.path] };
}
