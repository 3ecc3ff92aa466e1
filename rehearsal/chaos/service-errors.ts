import { ServiceError } from '../core/service';

type ErrorCode = readonly [code: string, status: number];

/**
 * How services say that there were too many calls, by signing name.
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html#API_SendMessage_Errors
 * https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 * https://docs.aws.amazon.com/lambda/latest/api/API_GetAlias.html#API_GetAlias_Errors
 */
const THROTTLED: Readonly<Record<string, readonly ErrorCode[]>> = {
  dynamodb: [
    ['ThrottlingException', 400],
    ['ProvisionedThroughputExceededException', 400],
  ],
  sqs: [
    ['RequestThrottled', 400],
    ['ThrottlingException', 400],
  ],
  s3: [['SlowDown', 503]],
  lambda: [['TooManyRequestsException', 429]],
  monitoring: [['Throttling', 400]],
};
const DEFAULT_THROTTLED: readonly ErrorCode[] = [['ThrottlingException', 400]];

/** How services say that the fault is theirs; see the error pages above. */
const FAILED: Readonly<Record<string, ErrorCode>> = {
  dynamodb: ['InternalServerError', 500],
  s3: ['InternalError', 500],
  lambda: ['ServiceException', 500],
  secretsmanager: ['InternalServiceError', 500],
};
const DEFAULT_FAILED: ErrorCode = ['InternalFailure', 500];

/** @param chance 0 inclusive to 1 exclusive: which of several codes */
export function throttlingError(service: string, chance: number): ServiceError {
  const codes = THROTTLED[service] ?? DEFAULT_THROTTLED;
  const [code, status] = codes[Math.floor(chance * codes.length)] ?? ['ThrottlingException', 400];
  return new ServiceError(code, 'rehearsed fault: too many calls, try again later', status);
}

export function internalError(service: string): ServiceError {
  const [code, status] = FAILED[service] ?? DEFAULT_FAILED;
  return new ServiceError(code, 'rehearsed fault: an internal error, try again', status);
}
