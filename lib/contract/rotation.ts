import * as z from 'zod';

/** How a new key is tried before it is used: a request that lists models costs nothing. */
export const apiKeyCheckSchema = z.discriminatedUnion('provider', [
  z.strictObject({ provider: z.literal('anthropic'), baseUrl: z.url().optional() }),
  z.strictObject({ provider: z.literal('openai'), baseUrl: z.url().optional() }),
  z.strictObject({ provider: z.literal('none') }),
]);
export type ApiKeyCheckSettings = z.infer<typeof apiKeyCheckSchema>;

/** `Env.ROTATION`: where the keys of a secret come from. */
export const rotationSchema = z.discriminatedUnion('strategy', [
  z.strictObject({
    strategy: z.literal('openai_service_account'),
    /** ARN of the secret that holds the admin key. */
    adminSecret: z.string().min(1),
    project: z.string().min(1),
    baseUrl: z.url().optional(),
    /** Seconds after which the provider lets a key expire by itself. Absent: never. */
    keyExpirySeconds: z.number().int().positive().optional(),
    /** Seconds for which the key before the current one stays valid. */
    graceSeconds: z.number().int().nonnegative(),
  }),
  z.strictObject({
    strategy: z.literal('key_pool'),
    /** ARN of the secret that holds the keys, a JSON array of texts. */
    poolSecret: z.string().min(1),
    test: apiKeyCheckSchema,
  }),
  /** Rotated by a function of the user's: this one only watches. */
  z.strictObject({ strategy: z.literal('custom') }),
]);
export type RotationSettings = z.infer<typeof rotationSchema>;

/** `Step` of the events that Secrets Manager sends. */
export const ROTATION_STEPS = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const;
export type RotationStep = (typeof ROTATION_STEPS)[number];

/** What the hourly schedule sends: emit the age, and take back keys whose grace period is over. */
export const ROTATION_WATCH = { watch: true } as const;
