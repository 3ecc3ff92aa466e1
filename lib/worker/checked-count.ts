import { Token } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import { laneError } from '../common';

/** @throws LaneError unless it is a whole number from `least` to `most`, known at synth */
export function checkedCount(scope: IConstruct, name: string, count: number, most: number, least = 1): number {
  if (Token.isUnresolved(count) || !Number.isInteger(count) || count < least || count > most) {
    throw laneError(
      scope,
      `Invalid${name.charAt(0).toUpperCase()}${name.slice(1)}`,
      `${name} is ${Token.isUnresolved(count) ? 'a token' : count}: expected a whole number from ${least} to ${most}, known at synth`,
    );
  }
  return count;
}
