import { App, Stack } from 'aws-cdk-lib';
import { isLaneError, LaneError } from '../../../lib';
import { laneError } from '../../../lib/common';

describe('laneError', () => {
  test('names the construct, the code and the mistake', () => {
    const stack = new Stack(new App(), 'Shop');
    const error = laneError(stack, 'WrongSize', 'size is 3: expected 4; correct it');
    expect(error).toBeInstanceOf(LaneError);
    expect(error.message).toBe('[Shop] WrongSize: size is 3: expected 4; correct it');
    expect(error).toMatchObject({ name: 'LaneError', code: 'WrongSize', constructPath: 'Shop' });
  });

  test('does without a place where there is none', () => {
    expect(laneError(undefined, 'A', 'b')).toMatchObject({ message: 'A: b', constructPath: undefined });
    expect(laneError(new App(), 'A', 'b').message).toBe('A: b');
  });

  test('is recognized across two copies of the package', () => {
    jest.resetModules();
    const { laneError: other, LaneError: OtherError } = require('../../../lib/common/errors');
    const error = other(undefined, 'A', 'b');
    expect(OtherError).not.toBe(LaneError);
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(LaneError);
    expect(isLaneError(error)).toBe(true);
    expect(LaneError.isLaneError(error)).toBe(true);
    expect(isLaneError(new Error('b'))).toBe(false);
  });
});
