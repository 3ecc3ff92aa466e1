import * as z from 'zod';

/** How a new key is checked before it is used: by listing models, which costs nothing. */
export const apiKeyCheckSchema = z.discriminatedUnion('provider', [
  z.strictObject({ provider: z.literal('anthropic'), baseUrl: z.url().optional() }),
  z.strictObject({ provider: z.literal('openai'), baseUrl: z.url().optional() }),
  z.strictObject({ provider: z.literal('none') }),
]);
export type ApiKeyCheckSettings = z.infer<typeof apiKeyCheckSchema>;

/** `Env.ROTATION`: source of the keys of a secret. */
export const rotationSchema = z.discriminatedUnion('strategy', [
  z.strictObject({
    strategy: z.literal('openai_service_account'),
    /** ARN of the secret that holds the admin key. */
    adminSecret: z.string().min(1),
    project: z.string().min(1),
    baseUrl: z.url().optional(),
    /** Seconds after which the provider expires a key. Absent: keys do not expire. */
    keyExpirySeconds: z.number().int().positive().optional(),
    /** Seconds for which the previous key stays valid. */
    graceSeconds: z.number().int().nonnegative(),
  }),
  z.strictObject({
    strategy: z.literal('key_pool'),
    /** ARN of the secret with the keys, a JSON array of strings. */
    poolSecret: z.string().min(1),
    check: apiKeyCheckSchema,
  }),
  /** A function of the user rotates the secret; this one only measures its age. */
  z.strictObject({ strategy: z.literal('custom') }),
]);
export type RotationSettings = z.infer<typeof rotationSchema>;

/** `Step` of the events that Secrets Manager sends. */
export const ROTATION_STEPS = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const;
export type RotationStep = (typeof ROTATION_STEPS)[number];

/** Event of the hourly schedule: emit the age, and delete keys whose grace period is over. */
export const ROTATION_WATCH = { watch: true } as const;
