/** AfterAllowTraffic hook of the router's deployment: a release that no task used is not promoted. */
import * as z from 'zod';
import { Env } from '../../../lib/contract';
import { cloudWatchClient } from '../../shared/aws/clients/cloudwatch';
import { codeDeployClient } from '../../shared/aws/clients/codedeploy';
import { documentClient } from '../../shared/aws/clients/dynamodb';
import type { InvocationContext } from '../../shared/aws/invocation-deadline';
import { runHook } from '../../shared/aws/lifecycle-hook';
import { systemClock } from '../../shared/clock';
import { lazy } from '../../shared/lazy';
import { RoutingRepository } from '../../shared/routing/routing-repository';
import { readSettings, setting } from '../../shared/settings';
import { createLogger } from '../../shared/telemetry/logger';
import { type EvidenceDeps, gatherEvidence } from './evidence';
import { countFinishedTasks } from './finished-tasks';

const settingsSchema = z.object({
  [Env.AGENT]: setting.text,
  [Env.RELEASE]: setting.text,
  [Env.CONTROL_TABLE]: setting.text,
  [Env.EVIDENCE_MIN_TASKS]: setting.countOrZero,
  [Env.EVIDENCE_WAIT_SECONDS]: setting.countOrZero,
});

const codeDeploy = lazy(codeDeployClient);

/** Settings are read within the hook: a hook that is set up wrongly has to say so to CodeDeploy. */
const evidence = lazy((): EvidenceDeps => {
  const settings = readSettings(settingsSchema);
  const agent = settings[Env.AGENT];
  const release = settings[Env.RELEASE];
  const cloudWatch = cloudWatchClient();
  const routing = new RoutingRepository(documentClient(), settings[Env.CONTROL_TABLE]);
  return {
    release,
    minTasks: settings[Env.EVIDENCE_MIN_TASKS],
    waitSeconds: settings[Env.EVIDENCE_WAIT_SECONDS],
    rollout: () => routing.readRollout(),
    countFinished: (from, to) => countFinishedTasks(cloudWatch, agent, release, from, to),
    clock: systemClock(),
  };
});

export async function handler(event: unknown, context: InvocationContext): Promise<void> {
  const logger = createLogger({ component: 'evidence', agent: process.env[Env.AGENT] ?? 'unknown' });
  await runHook(event, context, {
    codeDeploy: codeDeploy(),
    logger,
    check: async (signal) => await gatherEvidence(evidence(), signal),
  });
}
