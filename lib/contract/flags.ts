import * as z from 'zod';

const flagValue = z.union([z.boolean(), z.number(), z.string()]);
export type FlagValue = z.infer<typeof flagValue>;

/** One flag, in the configuration document of AppConfig. */
export const flagSchema = z.strictObject({
  /** For everybody whom no rule gives another, and when AppConfig cannot be read at a worker's start. */
  default: flagValue,
  /** The other value, and who gets it. */
  variant: flagValue,
  /** Share of the users, 0 to 100, by a consistent hash of flag and user: a growing share keeps whoever is in. */
  percent: z.number().min(0).max(100),
  /** Users who get the variant whatever the share. */
  users: z.array(z.string().min(1)).max(1000).optional(),
});
export type Flag = z.infer<typeof flagSchema>;

/** The configuration document: flag name → flag. */
export const flagsDocumentSchema = z.record(z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/), flagSchema);
export type FlagsDocument = z.infer<typeof flagsDocumentSchema>;
