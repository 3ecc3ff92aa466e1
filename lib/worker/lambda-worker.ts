import { Annotations, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { allowNetworkInterfaces, executionRole, laneError, pascalCase } from '../common';
import { PlatformLimits, PRIORITIES, type Priority } from '../contract';
import type { ILaneQueues } from '../lanes';
import type { Behavior, ModelSpec, WorkerDescription } from '../release';
import { claimStore } from '../state/agent-store';
import { bundleAgent } from './agent-bundle';
import { AgentWorker, type LaneAttachment } from './agent-worker';
import { AttachedLanes } from './attached-lanes';
import {
  checkLambdaSettings,
  describeLambdaSettings,
  type LambdaSettings,
  minEnvironmentBytes,
} from './lambda-settings';
import type { LambdaWorkerOptions } from './lambda-worker-options';
import { logRetentionOf, type WorkerContext } from './worker-context';
import { stageWorker, workerCore } from './worker-core';
import { workerEnvironment } from './worker-environment';
import { grantContract, grantRequeue } from './worker-grants';

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

export interface LambdaWorkerProps {
  readonly worker: LambdaWorkerOptions;
  readonly context: WorkerContext;
}

/** What of a Lambda worker goes into the release. */
export function describeLambdaWorker(
  scope: Construct,
  props: LambdaWorkerOptions,
  behavior: Behavior,
): WorkerDescription {
  const settings = checkLambdaSettings(scope, props);
  const { digest, sources } = codeOf(scope, props);
  return {
    codeDigest: digest,
    // Code that was bundled elsewhere holds the library already.
    libraryDigest: props.entry === undefined ? undefined : workerCore('lambda', behavior._chain).digest,
    settings: describeLambdaSettings(settings, props.handler ?? DEFAULT_HANDLER),
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
  readonly startTimeout = Duration.seconds(0);
  private readonly published: lambda.IVersion;
  private readonly concurrency: Readonly<Record<Priority, number>>;
  private readonly inVpc: boolean;
  private readonly lanes: AttachedLanes;

  constructor(scope: Construct, id: string, props: LambdaWorkerProps) {
    super(scope, id);
    const { worker, context } = props;
    const settings = checkLambdaSettings(this, worker);
    this.concurrency = settings.concurrency;
    this.lanes = new AttachedLanes(this, context.maxAttempts);
    this.visibilityTimeout = settings.timeout.plus(Duration.seconds(VISIBILITY_MARGIN_SECONDS));
    this.inVpc = worker.vpc !== undefined;
    claimStore(context.store, this, context.agentName);
    this.function = this.createFunction(worker, settings, context);
    this.grantPrincipal = this.function.grantPrincipal;
    grantContract(this, this.function, context);
    // The CDK's own classes do not fit its interfaces under exactOptionalPropertyTypes.
    this.published = this.function.currentVersion as lambda.IVersion;
    this.version = this.published.version;
    this.node.addValidation({ validate: () => this.checkEnvironmentSize() });
  }

  override get connections(): ec2.Connections {
    if (!this.inVpc) {
      throw laneError(
        this,
        'MissingVpc',
        'worker is in no VPC, so it has no connections: expected vpc in the props of WorkerSpec.lambda; set it, or leave the security groups out',
      );
    }
    return this.function.connections;
  }

  override attachLane(lane: ILaneQueues): LaneAttachment {
    this.lanes.add(lane);
    const name = pascalCase(lane.laneName);
    const alias = new lambda.Alias(this, `${name}Alias`, { aliasName: lane.laneName, version: this.published });
    const mappings = PRIORITIES.map((priority) => {
      const queue = lane[priority];
      queue.grantConsumeMessages(this.function);
      return new lambda.EventSourceMapping(this, `${name}${pascalCase(priority)}`, {
        target: alias as lambda.IFunction,
        eventSourceArn: queue.queueArn,
        batchSize: 1,
        reportBatchItemFailures: true,
        maxConcurrency: this.concurrency[priority],
      });
    });
    grantRequeue(lane, this.function);
    return { carrier: alias, consumers: mappings };
  }

  override metricCrashes(props?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.function.metricErrors(props);
  }

  private createFunction(
    worker: LambdaWorkerOptions,
    settings: LambdaSettings,
    context: WorkerContext,
  ): lambda.Function {
    const logGroup = new logs.LogGroup(this, 'Logs', {
      retention: logRetentionOf(this, 'WorkerSpec.lambda', worker.logRetention, context),
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
      code: this.lambdaCode(worker, context.release.models),
      handler: worker.handler ?? DEFAULT_HANDLER,
      memorySize: settings.memory.toMebibytes(),
      timeout: settings.timeout,
      environment: { ...settings.environment, ...workerEnvironment(this, context, this.lanes, settings.timeout) },
      tracing: lambda.Tracing.ACTIVE,
      logGroup,
      role,
      vpc: worker.vpc,
      vpcSubnets: worker.vpcSubnets,
      securityGroups: worker.securityGroups,
      // Not RETAIN: the version of a rollout that is rolled back would stay, unknown to the stack, and deploying the
      // same content again would fail on it.
      currentVersionOptions: { removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE },
    });
  }

  private lambdaCode(worker: LambdaWorkerOptions, models: readonly ModelSpec[]): lambda.Code {
    if (worker.entry === undefined) {
      // checkLambdaSettings saw to it that there is one.
      return worker.code as lambda.Code;
    }
    const agent = bundleAgent(this, worker.entry);
    for (const warning of agent.warnings) {
      Annotations.of(this).addWarningV2('cdk-agent-lanes:bundle', `worker entry "${worker.entry}": ${warning}`);
    }
    const { directory, digest } = stageWorker(this, workerCore('lambda', models), agent);
    return lambda.Code.fromAsset(directory, { assetHash: digest });
  }

  /** Variables may be added to the function to the very end, so their size is known at synth only. */
  private checkEnvironmentSize(): string[] {
    const resource = this.function.node.defaultChild as lambda.CfnFunction;
    const environment: { variables?: { [name: string]: unknown } } = Stack.of(this).resolve(resource.environment) ?? {};
    const bytes = minEnvironmentBytes(Stack.of(this), environment.variables ?? {});
    const most = PlatformLimits.LAMBDA_ENVIRONMENT;
    return bytes <= most.value
      ? []
      : [
          `environment of the worker is at least ${bytes} bytes: expected at most ${most.value} (${most.source}); move large values to a secret, a parameter, or the behavior folder`,
        ];
  }
}

/** The code's digest, and the files behind it. */
function codeOf(scope: Construct, props: LambdaWorkerOptions): { digest: string; sources: string[] } {
  if (props.entry !== undefined) {
    return bundleAgent(scope, props.entry);
  }
  if (!(props.code instanceof lambda.AssetCode)) {
    throw laneError(
      scope,
      'MissingCodeDigest',
      `code of the worker is ${props.code?.constructor.name}: expected an asset (Code.fromAsset), for inline code, objects in S3 and images do not say what they hold; give a folder or an archive, or give entry`,
    );
  }
  const place = (scope.node.tryFindChild(CODE_SCOPE) as Construct | undefined) ?? new Construct(scope, CODE_SCOPE);
  const key = props.code.bind(place).s3Location?.objectKey ?? '';
  const digest = /[0-9a-f]{64}/.exec(key)?.[0];
  if (digest === undefined) {
    throw laneError(
      scope,
      'MissingCodeDigest',
      `key of the worker's code is "${key}", which does not hold its digest: expected the DefaultStackSynthesizer or another one that names assets by content; change the synthesizer, or give entry`,
    );
  }
  return { digest, sources: [props.code.path] };
}
