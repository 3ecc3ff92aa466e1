import * as z from 'zod';
import { ROTATION_STEPS } from '../../../lib/contract';

/**
 * One step, as Secrets Manager asks for it
 * (https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda.html).
 */
const stepSchema = z.object({
  SecretId: z.string().min(1),
  /** Id of the version that becomes current at the end of the rotation. */
  ClientRequestToken: z.string().min(1),
  Step: z.enum(ROTATION_STEPS),
});
export type StepEvent = z.infer<typeof stepSchema>;

/** The hourly schedule. */
const watchSchema = z.object({ watch: z.literal(true) });

export const rotationEventSchema = z.union([stepSchema, watchSchema]);
export type RotationEvent = z.infer<typeof rotationEventSchema>;
