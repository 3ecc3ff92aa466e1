import type { RolloutItem } from '../../../lib/contract';
import type { HookResult } from '../../shared/aws/lifecycle-hook';
import { retryUntilAvailable } from '../../shared/aws/retry-until-available';
import { type Clock, scaleTimeout } from '../../shared/clock';

/** Milliseconds (cloud time) between two looks at the metric. */
const POLL_MS = 15_000;

/** Real milliseconds that running tasks are given at least; see {@link scaleTimeout}. */
const MIN_REAL_MS = 8_000;

export interface EvidenceDeps {
  readonly release: string;
  /** Finished tasks that are enough. 0: the rollout needs no evidence. */
  readonly minTasks: number;
  /** Cloud time to wait for metrics, which arrive late; see {@link scaleTimeout}. */
  readonly waitSeconds: number;
  readonly rollout: () => Promise<RolloutItem | undefined>;
  /** Tasks of the release finished between two times (milliseconds since 1970). */
  readonly countFinished: (from: number, to: number) => Promise<number>;
  readonly clock: Clock;
}

/**
 * Whether the release has finished enough tasks since the rollout began for its gates to mean something: gates that saw
 * nothing stay silent, and silence is no pass.
 *
 * Counted are the tasks of the release, whatever their lane. Those are the candidate's: the stable lane still runs the
 * promoted release. Only when the rollout moves nothing but the router, so that the release on both sides is the same,
 * do tasks of the stable lane count too; then they are evidence as good.
 */
export async function gatherEvidence(props: EvidenceDeps, signal?: AbortSignal): Promise<HookResult> {
  const { clock, countFinished, minTasks, release, waitSeconds } = props;
  if (minTasks === 0) {
    return { passed: true, reason: `no evidence asked for: release ${release} continues without` };
  }
  const end = clock.now() + scaleTimeout(waitSeconds * 1000, MIN_REAL_MS);
  const scaledTimeout = { until: end, pauseMs: POLL_MS, clock, signal };
  const rollout = await retryUntilAvailable(props.rollout, scaledTimeout);
  if (rollout?.status !== 'in_progress' || rollout.target.release !== release) {
    const seen =
      rollout === undefined ? 'no rollout' : `a rollout of ${rollout.target.release} with status ${rollout.status}`;
    return {
      passed: false,
      reason: `no evidence: expected a rollout of ${release} in progress, the control table has ${seen}`,
    };
  }
  for (;;) {
    const now = clock.now();
    const finished = await retryUntilAvailable(() => countFinished(rollout.startedAt, clock.now()), scaledTimeout);
    const details = { release, finished, minTasks, since: new Date(rollout.startedAt).toISOString() };
    if (finished >= minTasks) {
      return { passed: true, reason: `enough evidence: ${finished} tasks finished, ${minTasks} asked for`, details };
    }
    const left = end - now;
    if (left <= 0) {
      return {
        passed: false,
        reason:
          `not enough evidence: ${finished} of at least ${minTasks} tasks finished by release ${release} since ` +
          `${details.since}; send more traffic, let the shift take longer, or ask for fewer tasks`,
        details,
      };
    }
    await clock.sleep(Math.min(POLL_MS, left), signal);
  }
}
