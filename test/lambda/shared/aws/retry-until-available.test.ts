import { retryUntilAvailable } from '../../../../lambda/shared/aws/retry-until-available';
import { awsError, FakeClock, OUTAGES, START } from '../support/fakes';

function failing(times: number, error: Error) {
  let calls = 0;
  return async () => {
    calls += 1;
    if (calls <= times) {
      throw error;
    }
    return calls;
  };
}

function scaledTimeout(clock: FakeClock, ms: number) {
  return { until: START + ms, pauseMs: 2_000, clock };
}

test.each(OUTAGES)('gets over %s, with a pause before each further try', async (_, outage) => {
  const clock = new FakeClock();
  await expect(retryUntilAvailable(failing(3, outage), scaledTimeout(clock, 60_000))).resolves.toBe(4);
  expect(clock.slept).toEqual([2_000, 2_000, 2_000]);
});

test('fails at once with what no repetition overcomes', async () => {
  const clock = new FakeClock();
  const denied = awsError('AccessDeniedException');
  await expect(retryUntilAvailable(failing(1, denied), scaledTimeout(clock, 60_000))).rejects.toBe(denied);
  expect(clock.slept).toEqual([]);
});

test('fails with the last error when the time is up, after one try at its end', async () => {
  const clock = new FakeClock();
  const outage = awsError('ThrottlingException');
  await expect(retryUntilAvailable(failing(100, outage), scaledTimeout(clock, 5_000))).rejects.toBe(outage);
  expect(clock.slept).toEqual([2_000, 2_000, 1_000]);
});

test('ends with the signal', async () => {
  const clock = new FakeClock();
  const signal = AbortSignal.abort(new Error('over'));
  await expect(
    retryUntilAvailable(failing(100, awsError('ThrottlingException')), { ...scaledTimeout(clock, 60_000), signal }),
  ).rejects.toThrow('over');
});
