import * as z from 'zod';
import type { Json } from './digest';

export type JsonObject = { readonly [key: string]: Json | undefined };

/** A schema with an example. */
export interface NamedSchema {
  readonly schema: z.ZodType;
  readonly example: JsonObject;
}

/** Reference to a schema of the document. */
export function ref(name: string): JsonObject {
  return { $ref: `#/components/schemas/${name}` };
}

/** @param beyond JSON schema keywords for refinements that zod cannot express */
export function jsonSchemaOf({ schema, example }: NamedSchema, beyond: JsonObject = {}): JsonObject {
  const { $schema, $defs, ...rest } = z.toJSONSchema(schema, { io: 'input' });
  return { ...(simplified(rest as Json) as JsonObject), ...beyond, examples: [example] };
}

/** A response with a body of JSON. */
export function response(description: string, schema: JsonObject, headers?: JsonObject): JsonObject {
  return {
    description,
    headers,
    content: { 'application/json': { schema } },
  };
}

export function requestBody(name: string): JsonObject {
  return { required: true, content: { 'application/json': { schema: ref(name) } } };
}

/**
 * zod defines "any JSON" again for each field: one shared definition replaces them. Patterns that repeat the format, and the
 * largest safe integer as maximum, are removed.
 */
function simplified(value: Json): Json {
  if (Array.isArray(value)) {
    return value.map(simplified);
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  const object = value as JsonObject;
  const { $ref, format, maximum, pattern, ...rest } = object;
  return {
    ...Object.fromEntries(
      Object.entries(rest).map(([key, member]) => [key, member === undefined ? member : simplified(member)]),
    ),
    ...(typeof $ref === 'string' ? ref('Json') : {}),
    ...(format === undefined ? {} : { format }),
    ...(maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? {} : { maximum }),
    ...(pattern === undefined || format === 'date-time' ? {} : { pattern }),
  };
}
