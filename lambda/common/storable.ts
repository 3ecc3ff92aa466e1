import type { Json } from '../../lib/contract';

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
 * Finds what a DynamoDB item cannot hold and give back unchanged, although it is proper JSON: deep nesting, integers that
 * JavaScript has already rounded, numbers too small, members without a name
 * (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html).
 * Walks without recursion: the value may come from anybody, and 128 KB of `[` must not end the process.
 */
export function findUnstorable(value: Json, path = '$'): Unstorable | undefined {
  const open: { readonly value: Json; readonly path: string; readonly depth: number }[] = [{ value, path, depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, path, depth } = next;
    if (typeof value === 'number') {
      const message = numberProblem(value);
      if (message !== undefined) {
        return { path, message };
      }
    } else if (typeof value === 'object' && value !== null) {
      if (depth >= MAX_DEPTH) {
        return { path: shorten(path), message: `must not be nested deeper than ${MAX_DEPTH} levels` };
      }
      for (const [key, member] of Object.entries(value)) {
        if (key === '') {
          return { path, message: 'must not have a member with an empty name' };
        }
        if (member !== undefined) {
          open.push({ value: member, path: childPath(path, key, Array.isArray(value)), depth: depth + 1 });
        }
      }
    }
  }
  return undefined;
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
