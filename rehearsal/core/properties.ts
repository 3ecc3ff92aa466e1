import { z } from 'zod';
import { ResourceFailure, type ResourceRequest } from './resource';

/** A number as templates write it: `30` or `"30"`. */
export const cfnNumber = z.union([
  z.number(),
  z
    .string()
    .regex(/^-?\d+(\.\d+)?$/)
    .transform(Number),
]);

/** A truth value as templates write it: `true` or `"true"`. */
export const cfnBoolean = z.union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')]);

export const cfnTags = z.array(z.strictObject({ Key: z.string(), Value: z.string() }));

/** An IAM policy document; what it may say is checked where it is compiled. */
export const cfnPolicyDocument = z.record(z.string(), z.unknown());

/**
 * Checks a resource's resolved properties.
 * @throws ResourceFailure that names the resource, the property and what was wrong with it.
 */
export function readProperties<T>(
  type: string,
  schema: z.ZodType<T>,
  request: Pick<ResourceRequest, 'path' | 'properties'>,
): T {
  const parsed = schema.safeParse(request.properties);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.') || '(properties)'}: ${issue.message}`);
  throw new ResourceFailure(`not rehearsable: ${type} at ${request.path}: ${problems.join('; ')}`);
}
