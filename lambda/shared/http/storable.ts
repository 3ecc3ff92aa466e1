import type { Json } from '../../../lib/contract';

/** Levels that DynamoDB allows below an attribute of an item, less one for the attribute itself. */
export const MAX_DEPTH = 31;

/** Smallest magnitude above zero that a DynamoDB number can have. */
const SMALLEST = 1e-130;

/** Where a value cannot be stored, as a JSON path from `$`, and why. */
export interface Unstorable {
  readonly path: string;
  readonly message: string;
}

/**
 * Finds what a DynamoDB item cannot hold and return unchanged, although it is proper JSON: deep nesting, integers that
 * JavaScript has already rounded, numbers too small, members without a name
 * (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html).
 * Walks a level at a time and no deeper than is allowed, and makes paths only where something is wrong: the value may come
 * from anybody, and neither 4 MB of `[` nor two million numbers may end the process.
 */
export function findUnstorable(value: Json, path = '$'): Unstorable | undefined {
  return problemIn(value, 0, () => path);
}

function problemIn(value: Json | undefined, depth: number, path: () => string): Unstorable | undefined {
  if (typeof value === 'number') {
    const message = numberProblem(value);
    return message === undefined ? undefined : { path: path(), message };
  }
  if (typeof value !== 'object' || value === null) {
    return undefined;
  }
  if (depth >= MAX_DEPTH) {
    return { path: shorten(path()), message: `must not be nested deeper than ${MAX_DEPTH} levels` };
  }
  if (isList(value)) {
    for (let index = 0; index < value.length; index += 1) {
      const found = problemIn(value[index], depth + 1, () => childPath(path(), index));
      if (found !== undefined) {
        return found;
      }
    }
    return undefined;
  }
  for (const key of Object.keys(value)) {
    const found =
      key === ''
        ? { path: path(), message: 'must not have a member with an empty name' }
        : problemIn(value[key], depth + 1, () => childPath(path(), key));
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}

/** `Array.isArray` does not know read-only arrays. */
function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

/** Path of a member, as JSON paths are written: `$.a[0]["b c"]`. */
export function childPath(path: string, key: string | number, ofArray = typeof key === 'number'): string {
  if (ofArray) {
    return `${path}[${key}]`;
  }
  return /^[A-Za-z_]\w*$/.test(String(key)) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
}

function numberProblem(value: number): string | undefined {
  if (Math.abs(value) > Number.MAX_SAFE_INTEGER) {
    return `must be a number between -${Number.MAX_SAFE_INTEGER} and ${Number.MAX_SAFE_INTEGER}; send a larger one as a string`;
  }
  return value !== 0 && Math.abs(value) < SMALLEST ? `must be 0 or at least ${SMALLEST} away from it` : undefined;
}

function shorten(path: string): string {
  return path.length > 200 ? `${path.slice(0, 199)}…` : path;
}
