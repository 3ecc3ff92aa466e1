import { type AliasSnapshot, ROUTER_ALIAS, type RolloutCheckProperties } from '../../../lib/contract';
import type { Clock } from '../../shared/clock';
import { describeError } from '../../shared/errors';

/** Milliseconds (cloud time) between two looks at the alias. */
const POLL_MS = 10_000;

export interface RolloutCheckDeps {
  readonly readAlias: (functionName: string) => Promise<AliasSnapshot>;
  readonly clock: Clock;
}

/**
 * Waits until the alias `live` is wholly on the version that the template names. CloudFormation normally gets here after
 * CodeDeploy is done, and the first look is enough; with `cdk deploy --express` it does not wait for CodeDeploy, and would
 * continue and give the stable lane a release that is still on trial.
 *
 * @throws Error naming what the alias said last
 */
export async function checkRollout(
  { RouterFunction, RouterVersion, WaitSeconds }: RolloutCheckProperties,
  { clock, readAlias }: RolloutCheckDeps,
  signal?: AbortSignal,
): Promise<void> {
  const end = clock.now() + WaitSeconds * 1000;
  for (;;) {
    const seen = await look(() => readAlias(RouterFunction));
    if (typeof seen !== 'string' && seen.version === RouterVersion && seen.shift === undefined) {
      return;
    }
    const left = end - clock.now();
    if (left <= 0) {
      throw new Error(
        `the rollout is not complete: alias ${ROUTER_ALIAS} of ${RouterFunction} should be wholly on version ` +
          `${RouterVersion}, but ${describe(seen)} after ${WaitSeconds} s; the stable lane was not touched. ` +
          'Deploy without express mode, or look at the CodeDeploy deployment',
      );
    }
    await clock.sleep(Math.min(POLL_MS, left), signal);
  }
}

/** GetAlias shares a low rate limit with the whole account: a look that failed is no verdict. */
async function look(readAlias: () => Promise<AliasSnapshot>): Promise<AliasSnapshot | string> {
  try {
    return await readAlias();
  } catch (error) {
    return describeError(error);
  }
}

function describe(seen: AliasSnapshot | string): string {
  if (typeof seen === 'string') {
    return `could not be read (${seen})`;
  }
  const { shift, version } = seen;
  return shift === undefined
    ? `is on version ${version}`
    : `is on version ${version} with ${shift.weight * 100} % on version ${shift.version}`;
}
