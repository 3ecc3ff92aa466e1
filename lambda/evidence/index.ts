/** AfterAllowTraffic hook of the router's deployment: a release that nobody used is not promoted. */
import * as z from 'zod';
import { Env } from '../../lib/contract';
import { cloudWatchClient } from '../common/clients/cloudwatch';
import { codeDeployClient } from '../common/clients/codedeploy';
import { documentClient } from '../common/clients/dynamodb';
import { systemClock } from '../common/clock';
import type { InvocationContext } from '../common/deadline';
import { runHook } from '../common/lifecycle-hook';
import { createLogger } from '../common/logger';
import { once } from '../common/once';
import { readSettings, setting } from '../common/settings';
import { type EvidenceProps, gatherEvidence } from './evidence';
import { countFinishedTasks } from './finished-tasks';
import { readRollout } from './rollout-record';

const settingsSchema = z.object({
  [Env.AGENT]: setting.text,
  [Env.RELEASE]: setting.text,
  [Env.CONTROL_TABLE]: setting.text,
  [Env.EVIDENCE_MIN_TASKS]: setting.countOrZero,
  [Env.EVIDENCE_WAIT_SECONDS]: setting.countOrZero,
});

const codeDeploy = once(codeDeployClient);

/** Settings are read within the hook: a hook that is set up wrongly has to say so to CodeDeploy. */
const evidence = once((): EvidenceProps => {
  const settings = readSettings(settingsSchema);
  const agent = settings[Env.AGENT];
  const release = settings[Env.RELEASE];
  const cloudWatch = cloudWatchClient();
  const dynamodb = documentClient();
  return {
    release,
    minTasks: settings[Env.EVIDENCE_MIN_TASKS],
    waitSeconds: settings[Env.EVIDENCE_WAIT_SECONDS],
    rollout: () => readRollout(dynamodb, settings[Env.CONTROL_TABLE]),
    countFinished: (from, to) => countFinishedTasks(cloudWatch, agent, release, from, to),
    clock: systemClock(),
  };
});

export async function handler(event: unknown, context: InvocationContext): Promise<void> {
  const logger = createLogger({ component: 'evidence', agent: process.env[Env.AGENT] ?? 'unknown' });
  await runHook(event, context, {
    codeDeploy: codeDeploy(),
    logger,
    judge: async (signal) => await gatherEvidence(evidence(), signal),
  });
}
