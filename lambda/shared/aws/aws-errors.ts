/** What the SDK puts on the errors it throws, as far as the functions look at it. */
interface SdkError {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $retryable?: unknown;
}

const THROTTLING = new Set([
  'KmsThrottled',
  'LimitExceededException',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'SlowDown',
  'Throttling',
  'ThrottlingException',
  'TooManyRequestsException',
]);

const NETWORK = new Set([
  'AbortError',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
  'RequestTimeout',
  'RequestTimeoutException',
  'TimeoutError',
]);

/** The error's name (the service's exception), or '' for something that is no error. */
export function errorName(error: unknown): string {
  const name = asSdkError(error)?.name;
  return typeof name === 'string' ? name : '';
}

/**
 * True when the service could not answer for now: throttling, its own fault (5xx), or the network. A retry can
 * help; for every other error (a missing permission, a missing table) it does not.
 */
export function isUnavailable(error: unknown): boolean {
  const sdkError = asSdkError(error);
  if (sdkError === undefined) {
    return false;
  }
  const { code, $metadata, $retryable } = sdkError;
  return (
    THROTTLING.has(errorName(error)) ||
    NETWORK.has(errorName(error)) ||
    (typeof code === 'string' && NETWORK.has(code)) ||
    ($metadata?.httpStatusCode ?? 0) >= 500 ||
    $retryable !== undefined
  );
}

/** True when a conditional write found the item otherwise than it expected. */
export function isConditionFailure(error: unknown): boolean {
  return errorName(error) === 'ConditionalCheckFailedException';
}

function asSdkError(error: unknown): SdkError | undefined {
  return typeof error === 'object' && error !== null ? error : undefined;
}
