import { digestOf, RuntimeErrorCode } from '../../../lib/contract';
import { messageOf } from '../../shared/errors';
import { FatalError } from '../errors';

/**
 * Digest by which one attempt knows the input that another one gave.
 *
 * @param what whose input it is
 * @throws FatalError for an input that cannot be written as JSON
 */
export function digestOfInput(what: string, input: unknown, code: string = RuntimeErrorCode.INVALID_STEP): string {
  try {
    return digestOf(JSON.parse(JSON.stringify(input) ?? 'null'));
  } catch (error) {
    throw new FatalError(`${what} was given an input that is not JSON: ${messageOf(error).replaceAll(/\s+/g, ' ')}`, {
      code,
      cause: error,
    });
  }
}
