import { REHEARSAL_ACCOUNT, REHEARSAL_REGION } from '../../core/resource';

/** Name of a qualifier that means the unpublished version. */
export const LATEST = '$LATEST';

export function functionArn(name: string, qualifier?: string): string {
  const arn = `arn:aws:lambda:${REHEARSAL_REGION}:${REHEARSAL_ACCOUNT}:function:${name}`;
  return qualifier === undefined ? arn : `${arn}:${qualifier}`;
}

export interface FunctionReference {
  readonly name: string;
  /** Version or alias; absent when the reference is unqualified. */
  readonly qualifier?: string;
}

const REFERENCE =
  /^(?:(?:arn:[^:]+:lambda:[^:]*:)?(?:\d{12}:)?function:|\d{12}:(?!function:))?([A-Za-z0-9_-]+)(?::(\$LATEST|[A-Za-z0-9_-]+))?$/;

/**
 * Reads a name, a partial ARN or an ARN, qualified or not; undefined for anything else.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
 */
export function parseFunction(text: string, qualifier?: string): FunctionReference | undefined {
  const [, name, own] = REFERENCE.exec(text) ?? [];
  if (name === undefined) {
    return undefined;
  }
  const chosen = qualifier ?? own;
  return chosen === undefined ? { name } : { name, qualifier: chosen };
}
