import { RuntimeErrorCode } from '../../../lib/contract';
import { messageOf } from '../../shared/errors';
import { FatalError } from '../errors';

/**
 * JSON of a step's value; undefined for undefined. Values that JSON would silently change are rejected.
 *
 * @throws FatalError (`invalid_step`) naming the step
 */
export function toJsonText(value: unknown, key: string): string | undefined {
  if (value === undefined) {
    return undefined;
  }
  let text: string | undefined;
  try {
    text = JSON.stringify(value, (member: string, content: unknown) => {
      const problem = problemOf(content);
      if (problem !== undefined) {
        throw new TypeError(member === '' ? problem : `member ${JSON.stringify(member)}: ${problem}`);
      }
      return content;
    });
  } catch (error) {
    throw invalid(key, messageOf(error));
  }
  if (text === undefined) {
    throw invalid(key, `it is a ${typeof value}`);
  }
  return text;
}

function problemOf(content: unknown): string | undefined {
  if (typeof content === 'number' && !Number.isFinite(content)) {
    return `${content} is not a JSON number`;
  }
  return content instanceof Map || content instanceof Set
    ? `a ${content.constructor.name} would lose its content`
    : undefined;
}

function invalid(key: string, reason: string): FatalError {
  return new FatalError(
    `the value of ${key} cannot be written as JSON: ${reason.replaceAll(/\s+/g, ' ')}; return plain data`,
    { code: RuntimeErrorCode.INVALID_STEP },
  );
}
