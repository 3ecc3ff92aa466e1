import * as z from 'zod';
import {
  DEFAULT_PRIORITY_SHARES,
  Env,
  LANES,
  MAX_STOP_TIMEOUT_SECONDS,
  PRIORITIES,
  type Priority,
} from '../../../lib/contract';
import { readSettings, setting } from '../../shared/settings';
import { type WorkerSettings, workerSettingsSchema } from '../../worker/settings';

const port = setting.count.refine((value) => value <= 65_535, 'must be a port, 1 to 65535');

const sharesSchema = z
  .record(z.enum(PRIORITIES), z.number().positive())
  .refine(
    (shares) => Math.abs(Object.values(shares).reduce((sum, share) => sum + share, 0) - 1) < 1e-6,
    'must sum to 1',
  );

const containerSettingsSchema = z
  .object({
    [Env.LANE]: z.enum(LANES),
    [Env.CONCURRENCY]: setting.count,
    [Env.PRIORITY_SHARES]: setting.json(sharesSchema).optional(),
    [Env.STOP_TIMEOUT_SECONDS]: setting.count.refine(
      (seconds) => seconds >= 2 && seconds <= MAX_STOP_TIMEOUT_SECONDS,
      `must be 2 to ${MAX_STOP_TIMEOUT_SECONDS}`,
    ),
    [Env.WORKER_PORT]: port,
    [Env.AGENT_PORT]: port.optional(),
  })
  .transform((values) => ({
    /** Lane whose queues are polled. */
    lane: values[Env.LANE],
    /** Tasks that run at once. */
    concurrency: values[Env.CONCURRENCY],
    shares: (values[Env.PRIORITY_SHARES] ?? DEFAULT_PRIORITY_SHARES) as Readonly<Record<Priority, number>>,
    /** From SIGTERM until the container is killed. */
    stopTimeoutSeconds: values[Env.STOP_TIMEOUT_SECONDS],
    /** Where the worker answers on localhost. */
    workerPort: values[Env.WORKER_PORT],
    /** Where the agent's container answers on localhost. Undefined: the agent runs in this process. */
    agentPort: values[Env.AGENT_PORT],
  }));
export type ContainerSettings = z.infer<typeof containerSettingsSchema>;

/** @throws SettingsError naming every setting of the worker and of its container that is missing or wrong */
export function readContainerSettings(environment?: NodeJS.ProcessEnv): WorkerSettings & ContainerSettings {
  return readSettings(z.intersection(workerSettingsSchema, containerSettingsSchema), environment);
}

/** Port of a worker whose other settings may be wrong: its health is asked for all the same. */
export function readWorkerPort(environment?: NodeJS.ProcessEnv): number {
  return readSettings(
    z.object({ [Env.WORKER_PORT]: port }).transform((values) => values[Env.WORKER_PORT]),
    environment,
  );
}
