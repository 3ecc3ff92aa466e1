import * as z from 'zod';
import { Env, LANES } from '../../../lib/contract';
import { queueUrlsSchema, setting } from '../../shared/settings';

/** Environment variables of the redrive function. */
export const redriveSettingsSchema = z.object({
  [Env.AGENT]: setting.text,
  [Env.TASKS_TABLE]: setting.text,
  [Env.CONTROL_TABLE]: setting.text,
  [Env.QUEUES]: setting.json(queueUrlsSchema),
  [Env.DEAD_LETTER_QUEUES]: setting.json(z.record(z.enum(LANES), z.url())),
  [Env.TASK_RETENTION_DAYS]: setting.count,
});
