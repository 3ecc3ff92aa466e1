import * as z from 'zod';
import { USER_BUCKETS, userBucketOf } from './user-buckets';

/** Value of a flag. Text becomes a metric dimension, so it is limited in length and characters. */
export const flagValueSchema = z.union([
  z.boolean(),
  z.number(),
  z.string().regex(/^[\x20-\x7e]{1,64}$/, 'must be 1 to 64 printable ASCII characters'),
]);
export type FlagValue = z.infer<typeof flagValueSchema>;

export const FLAG_NAME_PATTERN = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;
const flagName = z.string().regex(FLAG_NAME_PATTERN);

/** Maximum number of users that one flag may list. */
export const MAX_FLAG_USERS = 1_000;

/** One flag, in the configuration document of AppConfig. */
export const flagSchema = z.strictObject({
  /** Value for users without the variant, and for all users while AppConfig cannot be read at a worker's start. */
  default: flagValueSchema,
  /** Value for the users that `percent` or `users` select. */
  variant: flagValueSchema,
  /** Share of the users, 0 to 100, by a consistent hash of flag and user: a share that grows keeps its users. */
  percent: z.number().min(0).max(100),
  /** Users who get the variant independent of the share. */
  users: z.array(z.string().min(1)).max(MAX_FLAG_USERS).optional(),
});
export type Flag = z.infer<typeof flagSchema>;

/** The configuration document: flag name → flag. */
export const flagsDocumentSchema = z.record(flagName, flagSchema);
export type FlagsDocument = z.infer<typeof flagsDocumentSchema>;

/**
 * `Env.FLAGS`: location of the document, and the flags with their defaults. The worker has the defaults in its environment
 * for when AppConfig is unavailable; it has no shares and users, so a change of them does not change the worker.
 */
export const flagSettingsSchema = z.strictObject({
  application: z.string().min(1),
  environment: z.string().min(1),
  profile: z.string().min(1),
  defaults: z.record(flagName, flagValueSchema),
});
export type FlagSettings = z.infer<typeof flagSettingsSchema>;

/** Value of the flag for the user. The flag's name is the salt: each flag includes other users first. */
export function flagValueFor(name: string, flag: Flag, user: string): FlagValue {
  const chosen =
    flag.users?.includes(user) === true || userBucketOf([name], user) < Math.round((flag.percent * USER_BUCKETS) / 100);
  return chosen ? flag.variant : flag.default;
}

/** Value of {@link Dimension.FLAG}. */
export function flagDimension(name: string, value: FlagValue): string {
  return `${name}=${value}`;
}
