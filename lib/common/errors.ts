import type { IConstruct } from 'constructs';

/** The same symbol in every copy of the package: monorepos often install several. */
const LANE_ERROR = Symbol.for('cdk-agent-lanes.LaneError');

/** `Error`, in a form that jsii accepts as a base class: the global one is declared as a variable, too. */
interface ErrorInstance extends Error {}
const BaseError: new (message: string) => ErrorInstance = Error;

/**
 * A misuse of the library, found at synth.
 *
 * The message names the construct, the wrong value, what is accepted, and what to do. docs/errors.md lists all codes.
 * Exported for TypeScript; jsii has no error classes, so other languages get the message alone.
 *
 * @jsii ignore
 */
export class LaneError extends BaseError {
  /** Whether a value is an error of this library, of this copy of the package or another. */
  static isLaneError(value: unknown): value is LaneError {
    return typeof value === 'object' && value !== null && LANE_ERROR in value;
  }

  /** Stable code in PascalCase, for example `UnpinnedModel`. */
  readonly code: string;
  /** Path of the construct; undefined where the misuse is in no construct. */
  readonly constructPath: string | undefined;

  constructor(code: string, message: string, constructPath: string | undefined) {
    super(`${constructPath === undefined ? '' : `[${constructPath}] `}${code}: ${message}`);
    this.name = 'LaneError';
    this.code = code;
    this.constructPath = constructPath;
    Object.defineProperty(this, LANE_ERROR, { value: true });
  }
}

/** Whether a value is an error of this library, of this copy of the package or another. */
export function isLaneError(value: unknown): value is LaneError {
  return LaneError.isLaneError(value);
}

/**
 * Builds the error to throw for a misuse.
 *
 * @param scope construct that was misused; undefined for a class that is in no construct tree
 * @param code stable code in PascalCase, like `UnpinnedModel`
 * @param message lower case; wrong value, accepted values, what to do
 */
export function laneError(scope: IConstruct | undefined, code: string, message: string): LaneError {
  const path = scope?.node.path;
  return new LaneError(code, message, path === '' ? undefined : path);
}
