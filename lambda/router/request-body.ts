import { type Json, MAX_REQUEST_BYTES, type SubmitRequest, submitRequestSchema } from '../../lib/contract';
import { type ErrorDetail, Refusal } from '../common/http';
import { childPath, findUnstorable } from '../common/storable';

/**
 * Reads the text of a request, as `POST /tasks` and the inbox queue carry it.
 *
 * @throws Refusal too_large, or invalid_request with the path of each wrong field
 */
export function parseRequestBody(text: string): SubmitRequest {
  const size = Buffer.byteLength(text);
  if (size > MAX_REQUEST_BYTES) {
    throw new Refusal(
      'too_large',
      `the request has ${size} bytes, at most ${MAX_REQUEST_BYTES} are accepted; put large input elsewhere and send its location`,
    );
  }
  const value = parseJson(text);
  const unstorable = findUnstorable(value);
  if (unstorable !== undefined) {
    throw invalid([{ ...unstorable }]);
  }
  const result = submitRequestSchema.safeParse(value);
  if (!result.success) {
    throw invalid(
      result.error.issues.flatMap((issue) => {
        const path = issue.path.reduce<string>(
          (parent, key) => childPath(parent, typeof key === 'number' ? key : String(key)),
          '$',
        );
        return issue.code === 'unrecognized_keys'
          ? issue.keys.map((key) => ({ path: childPath(path, key), message: 'is not a field of a request' }))
          : [{ path, message: issue.message }];
      }),
    );
  }
  return result.data;
}

/** A refusal that names the first wrong field in its message and all of them in its details. */
export function invalid(details: readonly ErrorDetail[]): Refusal {
  const [first] = details;
  const more = details.length > 1 ? ` (and ${details.length - 1} more)` : '';
  return new Refusal('invalid_request', `the request is not valid: ${first?.path}: ${first?.message}${more}`, details);
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
