import { errorName, isConditionFailure, isUnavailable } from '../../../../lambda/shared/aws/aws-errors';
import { describeError } from '../../../../lambda/shared/errors';
import { awsError, OUTAGES } from '../support/fakes';

test.each(OUTAGES)('%s is an outage', (_, error) => {
  expect(isUnavailable(error)).toBe(true);
});

test('what the SDK itself marks as retryable is an outage', () => {
  expect(isUnavailable(Object.assign(new Error('x'), { $retryable: { throttling: true } }))).toBe(true);
});

test.each([
  ['a missing permission', awsError('AccessDeniedException')],
  ['a missing table', awsError('ResourceNotFoundException')],
  ['a failed condition', awsError('ConditionalCheckFailedException')],
  ['a plain error', new Error('x')],
  ['a string', 'ThrottlingException'],
  ['nothing', undefined],
])('%s is no outage', (_, error) => {
  expect(isUnavailable(error)).toBe(false);
});

test('only the failed condition is one', () => {
  expect(isConditionFailure(awsError('ConditionalCheckFailedException'))).toBe(true);
  expect(isConditionFailure(awsError('ValidationException'))).toBe(false);
  expect(isConditionFailure(null)).toBe(false);
});

test('names and messages are one line, whatever was thrown', () => {
  expect(errorName(new TypeError('x'))).toBe('TypeError');
  expect(errorName('x')).toBe('');
  expect(describeError(new TypeError('a\n  b'))).toBe('TypeError: a b');
  expect(describeError('c\td')).toBe('c d');
});
