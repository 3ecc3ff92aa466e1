import type { Clock } from '../../../lambda/shared/clock';
import type { Lease } from '../../../lambda/shared/tasks/task-leases';
import { Heartbeat, type HeartbeatDeps } from '../../../lambda/worker/lease/heartbeat';
import { leaseTimes } from '../../../lambda/worker/lease/lease-times';
import { LEASE_MS } from '../../../lib/contract';
import { CapturedLog } from '../shared/support/fakes';

const TIMES = leaseTimes({});
const LEASE: Lease = { taskId: 't', token: 'token', attempt: 1, expiresAt: LEASE_MS };

/** By which one heartbeat is due at once, and nothing else ever. */
class OneBeat implements Clock {
  #beats = 0;
  now = () => 0;

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    if (milliseconds === TIMES.heartbeatMs && this.#beats === 0) {
      this.#beats += 1;
      return Promise.resolve();
    }
    return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
  }
}

function begin(revoked: HeartbeatDeps['isRevoked']) {
  const controller = new AbortController();
  const heartbeat = new Heartbeat(LEASE, controller, {
    renew: async (lease) => ({ kind: 'renewed', lease, cancelRequested: false }),
    extendVisibility: async () => {},
    isRevoked: revoked,
    times: TIMES,
    clock: new OneBeat(),
    logger: new CapturedLog(),
  });
  return { heartbeat, signal: controller.signal };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test('a release that is found revoked ends the attempt: its task goes back', async () => {
  const { heartbeat, signal } = begin(async () => true);
  await settled();
  expect(signal.reason).toMatchObject({ code: 'requeued' });
  await heartbeat.stop();
});

test('ends nothing any more when that is found out after the attempt', async () => {
  let tell = (_: boolean) => {};
  const { heartbeat, signal } = begin(
    () =>
      new Promise((resolve) => {
        tell = resolve;
      }),
  );
  await settled();
  await heartbeat.stop();
  tell(true);
  await settled();
  expect(signal.aborted).toBe(false);
});
