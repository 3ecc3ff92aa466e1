import { DeadlineError, withInvocationDeadline } from '../../../../lambda/shared/aws/invocation-deadline';
import { invocation } from '../support/fakes';

test('work that ends in time gives its result', async () => {
  await expect(withInvocationDeadline(invocation(), 1_000, async () => 'done')).resolves.toBe('done');
});

test('fails as the work fails', async () => {
  const work = withInvocationDeadline(invocation(), 1_000, () => Promise.reject(new Error('broken')));
  await expect(work).rejects.toThrow('broken');
});

test('fails before the invocation does, and aborts the work', async () => {
  let signal: AbortSignal | undefined;
  const work = withInvocationDeadline(invocation(1_030), 1_000, (given) => {
    signal = given;
    return new Promise(() => {});
  });
  await expect(work).rejects.toThrow(DeadlineError);
  expect(signal?.aborted).toBe(true);
});
