import { Duration, Size, type Stack } from 'aws-cdk-lib';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import type { IConstruct } from 'constructs';
import { laneError } from '../common';
import { PlatformLimits } from '../contract';
import type { Priority } from '../contract/lanes';
import type { LambdaWorkerOptions } from './lambda-worker-options';
import { shareConcurrency } from './priority-shares';
import { checkUserEnvironment, describeUserEnvironment } from './user-environment';

/** https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
const MIN_MEMORY_MIB = 128;
const MAX_MEMORY_MIB = 10_240;

/** Options of a Lambda worker with their defaults applied. */
export interface LambdaSettings {
  readonly memory: Size;
  readonly timeout: Duration;
  /** Maximum concurrency of each queue of a lane. */
  readonly concurrency: Readonly<Record<Priority, number>>;
  readonly runtime: lambda.Runtime;
  readonly architecture: lambda.Architecture;
  readonly environment: { [name: string]: string };
}

/** @throws LaneError for a value that Lambda refuses, or that is a token */
export function checkLambdaSettings(scope: IConstruct, props: LambdaWorkerOptions): LambdaSettings {
  const settings: LambdaSettings = {
    memory: props.memorySize ?? Size.mebibytes(1024),
    timeout: props.timeout ?? Duration.minutes(5),
    concurrency: shareConcurrency(scope, props),
    runtime: props.runtime ?? lambda.Runtime.NODEJS_24_X,
    architecture: props.architecture ?? lambda.Architecture.X86_64,
    environment: props.environment ?? {},
  };
  checkSource(scope, props, settings.runtime);
  if (settings.memory.isUnresolved() || settings.timeout.isUnresolved()) {
    throw laneError(
      scope,
      'UnresolvedWorker',
      'memorySize and timeout of the worker must not be tokens: the release id is derived from them; write the values into the app',
    );
  }
  const memory = settings.memory.toMebibytes();
  if (memory < MIN_MEMORY_MIB || memory > MAX_MEMORY_MIB) {
    throw laneError(
      scope,
      'InvalidMemory',
      `memorySize of the worker must be between ${MIN_MEMORY_MIB} and ${MAX_MEMORY_MIB} MiB, got ${memory} MiB (${PlatformLimits.LAMBDA_TIMEOUT.source})`,
    );
  }
  const timeout = settings.timeout.toSeconds();
  if (timeout < 1 || timeout > PlatformLimits.LAMBDA_TIMEOUT.value) {
    throw laneError(
      scope,
      'InvalidTimeout',
      `timeout of the worker must be between 1 and ${PlatformLimits.LAMBDA_TIMEOUT.value} seconds, got ${timeout} (${PlatformLimits.LAMBDA_TIMEOUT.source}); longer tasks are requeued between two of their steps`,
    );
  }
  checkUserEnvironment(scope, settings.environment);
  return settings;
}

function checkSource(scope: IConstruct, props: LambdaWorkerOptions, runtime: lambda.Runtime): void {
  const oneOfThem =
    'must have exactly one of them; set entry to have the agent bundled at synth, code if it is bundled already';
  if (props.entry === undefined && props.code === undefined) {
    throw laneError(scope, 'MissingCode', `the worker has neither entry nor code, and ${oneOfThem}`);
  }
  if (props.entry !== undefined && props.code !== undefined) {
    throw laneError(scope, 'ConflictingCode', `the worker has both entry and code, and ${oneOfThem}`);
  }
  if (props.entry !== undefined && props.handler !== undefined) {
    throw laneError(
      scope,
      'ConflictingHandler',
      `handler "${props.handler}" is set together with entry "${props.entry}": the bundle of entry has its own handler; remove handler, or set code instead of entry`,
    );
  }
  if (runtime.family !== lambda.RuntimeFamily.NODEJS) {
    throw laneError(
      scope,
      'InvalidRuntime',
      `runtime of the worker must be a Node.js runtime like nodejs24.x, got ${runtime.name}: the library's worker is a Node.js program`,
    );
  }
}

/** Settings that are part of the release. */
export function describeLambdaSettings(settings: LambdaSettings, handler: string): { [name: string]: string } {
  return {
    kind: 'lambda',
    runtime: settings.runtime.name,
    architecture: settings.architecture.name,
    handler,
    memoryMiB: String(settings.memory.toMebibytes()),
    timeoutSeconds: String(settings.timeout.toSeconds()),
    ...describeUserEnvironment(settings.environment),
  };
}

/**
 * Minimum size of an environment as Lambda counts it: names and values. Of a value that holds a token, only the literal parts
 * count.
 */
export function minEnvironmentBytes(stack: Stack, environment: { [name: string]: unknown }): number {
  const concrete = (value: unknown): number => {
    if (typeof value === 'string') {
      return Buffer.byteLength(value);
    }
    if (Array.isArray(value)) {
      return value.reduce((sum: number, part) => sum + concrete(part), 0);
    }
    if (typeof value === 'object' && value !== null && 'Fn::Join' in value) {
      const [, parts] = value['Fn::Join'] as [string, unknown[]];
      return concrete(parts);
    }
    return 0;
  };
  return Object.entries(environment).reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + concrete(stack.resolve(value)),
    0,
  );
}
