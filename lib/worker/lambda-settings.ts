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
      'memory or timeout of the worker is a token: expected concrete values, known at synth, for the release is derived from them; write the values into the app',
    );
  }
  const memory = settings.memory.toMebibytes();
  if (memory < MIN_MEMORY_MIB || memory > MAX_MEMORY_MIB) {
    throw laneError(
      scope,
      'InvalidMemory',
      `memory of the worker is ${memory} MiB: expected ${MIN_MEMORY_MIB} to ${MAX_MEMORY_MIB} MiB (${PlatformLimits.LAMBDA_TIMEOUT.source}); choose a size in between`,
    );
  }
  const timeout = settings.timeout.toSeconds();
  if (timeout < 1 || timeout > PlatformLimits.LAMBDA_TIMEOUT.value) {
    throw laneError(
      scope,
      'InvalidTimeout',
      `timeout of the worker is ${timeout} s: expected 1 to ${PlatformLimits.LAMBDA_TIMEOUT.value} s (${PlatformLimits.LAMBDA_TIMEOUT.source}); tasks that take longer are handed to the next invocation between two of their steps`,
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
      `handler is "${props.handler}" beside entry "${props.entry}": expected no handler, for the bundle made from entry brings its own; remove it, or give code`,
    );
  }
  if (runtime.family !== lambda.RuntimeFamily.NODEJS) {
    throw laneError(
      scope,
      'InvalidRuntime',
      `runtime of the worker is ${runtime.name}: expected a Node.js runtime like nodejs24.x, for the worker around the agent is a Node.js program; choose one`,
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
