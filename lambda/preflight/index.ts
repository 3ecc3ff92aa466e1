/** BeforeAllowTraffic hook of the router's deployment: no user meets a release whose probe did not succeed. */
import * as z from 'zod';
import { Env } from '../../lib/contract';
import { codeDeployClient } from '../common/clients/codedeploy';
import { documentClient } from '../common/clients/dynamodb';
import { sqsClient } from '../common/clients/sqs';
import { systemClock } from '../common/clock';
import type { InvocationContext } from '../common/deadline';
import { runHook } from '../common/lifecycle-hook';
import { createLogger } from '../common/logger';
import { once } from '../common/once';
import { queueUrlsSchema, readSettings, setting } from '../common/settings';
import { TaskQueues } from '../common/task-queues';
import { TaskTable } from '../common/task-table';
import { type PreflightProps, runPreflight } from './preflight';
import { PreflightMetrics } from './preflight-metrics';

const settingsSchema = z.object({
  [Env.AGENT]: setting.text,
  [Env.RELEASE]: setting.text,
  [Env.TASKS_TABLE]: setting.text,
  [Env.QUEUES]: setting.json(queueUrlsSchema),
  [Env.PREFLIGHT_TIMEOUT_SECONDS]: setting.count,
});

const codeDeploy = once(codeDeployClient);

/** Settings are read within the hook: a hook that is set up wrongly has to say so to CodeDeploy. */
const preflight = once((): PreflightProps => {
  const settings = readSettings(settingsSchema);
  const clock = systemClock();
  return {
    agent: settings[Env.AGENT],
    release: settings[Env.RELEASE],
    timeoutSeconds: settings[Env.PREFLIGHT_TIMEOUT_SECONDS],
    tasks: new TaskTable(documentClient(), settings[Env.TASKS_TABLE]),
    queues: new TaskQueues(sqsClient(), settings[Env.QUEUES]),
    metrics: new PreflightMetrics(settings[Env.AGENT], clock),
    clock,
  };
});

export async function handler(event: unknown, context: InvocationContext): Promise<void> {
  const logger = createLogger({ component: 'preflight', agent: process.env[Env.AGENT] ?? 'unknown' });
  await runHook(event, context, {
    codeDeploy: codeDeploy(),
    logger,
    judge: async (signal) => await runPreflight(preflight(), signal),
  });
}
