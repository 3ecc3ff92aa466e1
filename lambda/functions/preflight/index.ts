/** BeforeAllowTraffic hook of the router's deployment: no user meets a release whose probe did not succeed. */
import * as z from 'zod';
import { Dimension, Env } from '../../../lib/contract';
import { codeDeployClient } from '../../shared/aws/clients/codedeploy';
import { documentClient } from '../../shared/aws/clients/dynamodb';
import { sqsClient } from '../../shared/aws/clients/sqs';
import type { InvocationContext } from '../../shared/aws/invocation-deadline';
import { runHook } from '../../shared/aws/lifecycle-hook';
import { systemClock } from '../../shared/clock';
import { lazy } from '../../shared/lazy';
import { queueUrlsSchema, readSettings, setting } from '../../shared/settings';
import { TaskQueues } from '../../shared/tasks/task-queues';
import { TaskRepository } from '../../shared/tasks/task-repository';
import { MetricEmitter } from '../../shared/telemetry/emf';
import { createLogger } from '../../shared/telemetry/logger';
import { type PreflightDeps, runPreflight } from './preflight';

const settingsSchema = z.object({
  [Env.AGENT]: setting.text,
  [Env.RELEASE]: setting.text,
  [Env.TASKS_TABLE]: setting.text,
  [Env.QUEUES]: setting.json(queueUrlsSchema),
  [Env.PREFLIGHT_TIMEOUT_SECONDS]: setting.count,
});

const codeDeploy = lazy(codeDeployClient);

/** Settings are read within the hook: a hook that is set up wrongly has to say so to CodeDeploy. */
const preflight = lazy((): PreflightDeps => {
  const settings = readSettings(settingsSchema);
  const clock = systemClock();
  return {
    agent: settings[Env.AGENT],
    release: settings[Env.RELEASE],
    timeoutSeconds: settings[Env.PREFLIGHT_TIMEOUT_SECONDS],
    tasks: new TaskRepository(documentClient(), settings[Env.TASKS_TABLE]),
    queues: new TaskQueues(sqsClient(), settings[Env.QUEUES]),
    metrics: new MetricEmitter({ dimensions: { [Dimension.AGENT]: settings[Env.AGENT] }, clock }),
    clock,
  };
});

export async function handler(event: unknown, context: InvocationContext): Promise<void> {
  const logger = createLogger({ component: 'preflight', agent: process.env[Env.AGENT] ?? 'unknown' });
  await runHook(event, context, {
    codeDeploy: codeDeploy(),
    logger,
    check: async (signal) => await runPreflight(preflight(), signal),
  });
}
