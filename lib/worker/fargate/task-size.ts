import { type Size, Token } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import { laneError } from '../../common';
import { PlatformLimits } from '../../contract';

/** CPU units → MiB of memory: the least, the most, and the step between. */
const SIZES: Readonly<Record<number, readonly [number, number, number]>> = {
  // 512, 1024 and 2048; the others come in even steps.
  256: [512, 2_048, 512],
  512: [1_024, 4_096, 1_024],
  1024: [2_048, 8_192, 1_024],
  2048: [4_096, 16_384, 1_024],
  4096: [8_192, 30_720, 1_024],
  8192: [16_384, 61_440, 4_096],
  16384: [32_768, 122_880, 8_192],
};

/** Between 1024 and 2048 MiB there is no step with 256 units. */
const MISSING = { cpu: 256, memoryMiB: 1_536 };

/** CPU and memory of one ECS task. */
export interface TaskSize {
  /** CPU units. */
  readonly cpu: number;
  readonly memoryMiB: number;
}

/** @throws LaneError for a combination that Fargate does not have, or that is not known at synth */
export function checkTaskSize(scope: IConstruct, cpu: number, memory: Size): TaskSize {
  const { source } = PlatformLimits.FARGATE_CPU;
  if (Token.isUnresolved(cpu) || memory.isUnresolved()) {
    throw laneError(
      scope,
      'UnresolvedWorker',
      'cpu or memory of the worker is a token: expected concrete values, known at synth, for the release is derived from them; write the values into the app',
    );
  }
  const range = SIZES[cpu];
  if (range === undefined) {
    throw laneError(
      scope,
      'InvalidTaskSize',
      `cpu of the worker is ${cpu}: expected one of ${Object.keys(SIZES).join(', ')} units, 1024 of which are a vCPU (${source})`,
    );
  }
  const [least, most, step] = range;
  const memoryMiB = memory.toMebibytes();
  const missing = cpu === MISSING.cpu && memoryMiB === MISSING.memoryMiB;
  if (missing || memoryMiB < least || memoryMiB > most || memoryMiB % step !== 0) {
    throw laneError(
      scope,
      'InvalidTaskSize',
      `memory of the worker is ${memoryMiB} MiB with cpu ${cpu}: expected ${
        cpu === MISSING.cpu ? '512, 1024 or 2048 MiB' : `${least} to ${most} MiB in steps of ${step} MiB`
      } (${source})`,
    );
  }
  return { cpu, memoryMiB };
}
