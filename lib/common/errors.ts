import type { IConstruct } from 'constructs';

/**
 * A mistake in how the library is used, found at synth.
 *
 * `code` is stable and can be searched for; the message names the place, the wrong value, what was expected and what
 * to do.
 */
export class LaneError extends Error {
  readonly code: string;
  /** Path of the construct, if the mistake belongs to one. */
  readonly constructPath: string | undefined;

  constructor(code: string, message: string, constructPath: string | undefined) {
    super(`${constructPath === undefined ? '' : `[${constructPath}] `}${code}: ${message}`);
    this.name = 'LaneError';
    this.code = code;
    this.constructPath = constructPath;
  }
}

/**
 * Builds the error to throw for a misuse.
 *
 * @param scope construct that was misused; undefined in a plain class that has no place in the tree yet
 * @param code stable code in PascalCase, like `UnpinnedModel`
 * @param message lower case; wrong value, expected value, what to do
 */
export function laneError(scope: IConstruct | undefined, code: string, message: string): LaneError {
  const path = scope?.node.path;
  return new LaneError(code, message, path === '' ? undefined : path);
}
