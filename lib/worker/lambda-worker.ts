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

/** Id of the construct under which `code` is bound, so that its digest is known before the function. */
const CODE_SCOPE = 'WorkerCode';

const DEFAULT_HANDLER = 'index.handler';

/**
 * Seconds that a message stays invisible beyond the function's timeout. AWS advises six times the timeout, for batches whose
 * messages wait for each other and for throttled invocations. Here a batch is one message, and the maximum concurrency of
 * the mapping limits what it receives; with six times, a task whose worker crashed at once would be retried after 90
 * minutes. From its first heartbeat on, the worker sets the visibility itself, to a little more than its lease. Lambda
 * refuses a visibility timeout below the function's timeout.
 */
const VISIBILITY_MARGIN_SECONDS = 60;

export interface LambdaWorkerProps {
  readonly worker: LambdaWorkerOptions;
  readonly context: WorkerContext;
}

/** The part of a Lambda worker that belongs to the release. */
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
    this.published = this.function.currentVersion;
    this.version = this.published.version;
    this.node.addValidation({ validate: () => this.checkEnvironmentSize() });
  }

  override get connections(): ec2.Connections {
    if (!this.inVpc) {
      throw laneError(
        this,
        'MissingVpc',
        'the worker has no connections because it is not in a VPC; set vpc in the options of WorkerSpec.lambda',
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
        target: alias,
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
      // Not RETAIN: the version of a rollout that is rolled back would stay outside the stack, and a later deployment of the
      // same content would fail on it.
      currentVersionOptions: { removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE },
    });
  }

  private lambdaCode(worker: LambdaWorkerOptions, models: readonly ModelSpec[]): lambda.Code {
    if (worker.entry === undefined) {
      // checkLambdaSettings has checked that there is either an entry or code.
      return worker.code as lambda.Code;
    }
    const agent = bundleAgent(this, worker.entry);
    for (const warning of agent.warnings) {
      Annotations.of(this).addWarningV2('cdk-agent-lanes:bundle', `worker entry "${worker.entry}": ${warning}`);
    }
    const { directory, digest } = stageWorker(this, workerCore('lambda', models), agent);
    return lambda.Code.fromAsset(directory, { assetHash: digest });
  }

  /** Variables may be added to the function until synth, so their size is checked then. */
  private checkEnvironmentSize(): string[] {
    const resource = this.function.node.defaultChild as lambda.CfnFunction;
    const environment: { variables?: { [name: string]: unknown } } = Stack.of(this).resolve(resource.environment) ?? {};
    const bytes = minEnvironmentBytes(Stack.of(this), environment.variables ?? {});
    const limit = PlatformLimits.LAMBDA_ENVIRONMENT;
    return bytes <= limit.value
      ? []
      : [
          `environment variables of the worker must have at most ${limit.value} bytes, got at least ${bytes} (${limit.source}); move large values to a secret, a parameter, or the behavior folder`,
        ];
  }
}

/** Digest and source files of the code. */
function codeOf(scope: Construct, props: LambdaWorkerOptions): { digest: string; sources: string[] } {
  if (props.entry !== undefined) {
    return bundleAgent(scope, props.entry);
  }
  if (!(props.code instanceof lambda.AssetCode)) {
    throw laneError(
      scope,
      'MissingCodeDigest',
      `code of the worker must be an asset (Code.fromAsset), got ${props.code?.constructor.name}: inline code, objects in S3 and images have no digest at synth; use a folder or an archive, or set entry`,
    );
  }
  const place = (scope.node.tryFindChild(CODE_SCOPE) as Construct | undefined) ?? new Construct(scope, CODE_SCOPE);
  const key = props.code.bind(place).s3Location?.objectKey ?? '';
  const digest = /[0-9a-f]{64}/.exec(key)?.[0];
  if (digest === undefined) {
    throw laneError(
      scope,
      'MissingCodeDigest',
      `object key of the worker's code must contain its digest, got "${key}": use the DefaultStackSynthesizer or another one that names assets by content, or set entry`,
    );
  }
  return { digest, sources: [props.code.path] };
}
