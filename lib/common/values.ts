import { Duration, Size, Token } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import { laneError } from './errors';

/** A value as error messages show it; a token has no value at synth. */
export function describeValue(value: unknown): string {
  if (value instanceof Duration) {
    return value.isUnresolved() ? 'a token' : value.toHumanString();
  }
  if (value instanceof Size) {
    return value.isUnresolved() ? 'a token' : `${value.toMebibytes({ rounding: 1 })} MiB`;
  }
  return Token.isUnresolved(value) ? 'a token' : String(value);
}

/** `stable` → `Stable`: a lower-case name as a part of a construct id. */
export function pascalCase(name: string): string {
  return `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}

/** A named count and the range that it must be in, both ends included. */
export interface IntegerCheck {
  /** Name of the property. */
  readonly name: string;
  readonly value: number;
  /** @default 1 */
  readonly min?: number;
  readonly max: number;
}

/**
 * @param code stable code of the error, a literal: docs/errors.md is generated from the literals
 * @throws LaneError unless the value is an integer in its range and not a token
 */
export function checkedInteger(scope: IConstruct | undefined, code: string, check: IntegerCheck): number {
  const { name, value, min = 1, max } = check;
  if (Token.isUnresolved(value) || !Number.isInteger(value) || value < min || value > max) {
    throw laneError(scope, code, `${name} must be an integer between ${min} and ${max}, got ${describeValue(value)}`);
  }
  return value;
}
