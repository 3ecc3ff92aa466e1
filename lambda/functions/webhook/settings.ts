import * as z from 'zod';
import { Env } from '../../../lib/contract';
import { setting } from '../../shared/settings';

/** Environment variables of the webhook function. */
export const webhookSettingsSchema = z.object({
  [Env.AGENT]: setting.text,
  [Env.TASKS_TABLE]: setting.text,
  [Env.WEBHOOK_QUEUE]: z.url(),
  [Env.WEBHOOK_DEAD_LETTER_QUEUE]: z.url(),
  [Env.WEBHOOK_SECRET]: setting.text,
  [Env.WEBHOOK_RETRY_SECONDS]: setting.count,
  [Env.WEBHOOK_PRIVATE_HOSTS]: setting.json(z.array(z.string().min(1).toLowerCase())).default([]),
});
