import type * as z from 'zod';
import { HttpErrorCode, type Json } from '../../../lib/contract';
import { type ErrorDetail, Refusal } from './http';
import { childPath, findUnstorable } from './storable';

export interface JsonBodyOptions<T> {
  readonly schema: z.ZodType<T>;
  readonly maxBytes: number;
  /** What to do instead of sending a body above the limit. */
  readonly advice: string;
}

/**
 * Reads the text of a request.
 *
 * @throws Refusal too_large, or invalid_request with the path of each wrong field
 */
export function parseJsonBody<T>(text: string, { schema, maxBytes, advice }: JsonBodyOptions<T>): T {
  const size = Buffer.byteLength(text);
  if (size > maxBytes) {
    throw new Refusal(
      HttpErrorCode.TOO_LARGE,
      `the request has ${size} bytes, at most ${maxBytes} are accepted; ${advice}`,
    );
  }
  const value = parseJson(text);
  const unstorable = findUnstorable(value);
  if (unstorable !== undefined) {
    throw invalid([{ ...unstorable }]);
  }
  const result = schema.safeParse(value);
  if (!result.success) {
    throw invalid(result.error.issues.flatMap(detailsOf));
  }
  return result.data;
}

/** A refusal that names the first wrong field in its message and all of them in its details. */
export function invalid(details: readonly ErrorDetail[]): Refusal {
  const [first] = details;
  const more = details.length > 1 ? ` (and ${details.length - 1} more)` : '';
  return new Refusal(
    HttpErrorCode.INVALID_REQUEST,
    `the request is not valid: ${first?.path}: ${first?.message}${more}`,
    details,
  );
}

function detailsOf(issue: z.core.$ZodIssue): readonly ErrorDetail[] {
  const path = issue.path.reduce<string>(
    (parent, key) => childPath(parent, typeof key === 'number' ? key : String(key)),
    '$',
  );
  return issue.code === 'unrecognized_keys'
    ? issue.keys.map((key) => ({ path: childPath(path, key), message: 'is not a field of a request' }))
    : [{ path, message: issue.message }];
}

function parseJson(text: string): Json {
  if (text.trim() === '') {
    throw invalid([{ path: '$', message: 'expected a JSON object, got nothing' }]);
  }
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw invalid([{ path: '$', message: `expected JSON: ${error instanceof Error ? error.message : error}` }]);
  }
}
