import { type Size, Token } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import { laneError } from '../../common';
import { PlatformLimits } from '../../contract';

/** CPU units → MiB of memory: minimum, maximum, and step. */
const SIZES: Readonly<Record<number, readonly [number, number, number]>> = {
  // 512, 1024 and 2048: the only row without an even step.
  256: [512, 2_048, 512],
  512: [1_024, 4_096, 1_024],
  1024: [2_048, 8_192, 1_024],
  2048: [4_096, 16_384, 1_024],
  4096: [8_192, 30_720, 1_024],
  8192: [16_384, 61_440, 4_096],
  16384: [32_768, 122_880, 8_192],
};

/** The one step that does not exist. */
const MISSING = { cpu: 256, memoryMiB: 1_536 };

/** CPU and memory of one ECS task. */
export interface TaskSize {
  /** CPU units, 1024 of which are a vCPU. */
  readonly cpu: number;
  /** Memory in MiB. */
  readonly memoryMiB: number;
}

/** @throws LaneError for a combination that Fargate does not offer, or for a token */
export function checkTaskSize(scope: IConstruct, cpu: number, memory: Size): TaskSize {
  const { source } = PlatformLimits.FARGATE_CPU;
  if (Token.isUnresolved(cpu) || memory.isUnresolved()) {
    throw laneError(
      scope,
      'UnresolvedWorker',
      'cpu and memorySize of the worker must not be tokens: the release id is derived from them; write the values into the app',
    );
  }
  const range = SIZES[cpu];
  if (range === undefined) {
    throw laneError(
      scope,
      'InvalidTaskSize',
      `cpu of the worker must be one of ${Object.keys(SIZES).join(', ')} units, 1024 of which are a vCPU, got ${cpu} (${source})`,
    );
  }
  const [min, max, step] = range;
  const memoryMiB = memory.toMebibytes();
  const missing = cpu === MISSING.cpu && memoryMiB === MISSING.memoryMiB;
  if (missing || memoryMiB < min || memoryMiB > max || memoryMiB % step !== 0) {
    throw laneError(
      scope,
      'InvalidTaskSize',
      `memorySize of the worker with cpu ${cpu} must be ${
        cpu === MISSING.cpu ? '512, 1024 or 2048 MiB' : `${min} to ${max} MiB in steps of ${step} MiB`
      }, got ${memoryMiB} MiB (${source})`,
    );
  }
  return { cpu, memoryMiB };
}
