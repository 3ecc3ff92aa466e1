import * as z from 'zod';
import { Env, rotationSchema } from '../../../lib/contract';
import { setting } from '../../shared/settings';

/** What the rotation function reads from its environment. */
export const rotationSettingsSchema = z.object({
  [Env.AGENT]: setting.text,
  [Env.ROTATED_SECRET]: setting.text,
  [Env.ROTATED_SECRET_NAME]: setting.text,
  [Env.ROTATION]: setting.json(rotationSchema),
});
