import {
  FatalError,
  LimitExceededError,
  RetryableError,
  SessionConflictError,
  TimedOutError,
} from '../../../lambda/runtime';
import { dispositionOf, isAgentError } from '../../../lambda/runtime/errors';

test.each([
  [new RetryableError('x'), 'retry', 'retryable'],
  [new RetryableError('x', { code: 'away' }), 'retry', 'away'],
  [new SessionConflictError('s'), 'retry', 'session_conflict'],
  [new FatalError('x'), 'fail', 'fatal'],
  [new LimitExceededError('maxCost', 'x'), 'fail', 'limit_exceeded'],
  [new TimedOutError('x'), 'time_out', 'timed_out'],
])('%s means %s with code %s', (error, disposition, code) => {
  expect(isAgentError(error)).toBe(true);
  expect(dispositionOf(error)).toBe(disposition);
  expect(error.code).toBe(code);
  expect(error.name).toBe(error.constructor.name);
});

test.each([[new Error('x')], ['text'], [undefined], [{ code: 'retryable' }]])(
  'anything else, as %p, fails',
  (error) => {
    expect(isAgentError(error)).toBe(false);
    expect(dispositionOf(error)).toBe('fail');
  },
);

test('is told apart also when it comes from another copy of the library', () => {
  jest.isolateModules(() => {
    const copy = jest.requireActual<typeof import('../../../lambda/runtime')>('../../../lambda/runtime');
    const error = new copy.RetryableError('x');
    expect(error instanceof RetryableError).toBe(false);
    expect(dispositionOf(error)).toBe('retry');
  });
});
