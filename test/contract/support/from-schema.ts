import fc from 'fast-check';
import { findUnstorable } from '../../../lambda/shared/http/storable';
import type { Json } from '../../../lib/contract';
import { type Loose, resolve } from './document';

/** URLs that the document's words let through, beside its schema. */
const URLS = ['https://example.com/', 'https://hooks.example.com:8443/a/b?c=d', 'https://93.184.216.34/in'];

/** What the document says of any JSON: some of it cannot be kept. */
export const storableJson: fc.Arbitrary<Json> = fc
  .jsonValue({ maxDepth: 3 })
  .map((value) => JSON.parse(JSON.stringify(value)) as Json)
  .filter((value) => findUnstorable(value) === undefined);

/** Values that fit the schema, as far as this API's document goes. */
export function fitting(schema: Loose): fc.Arbitrary<Loose> {
  if (schema.$ref === '#/components/schemas/Json') {
    return storableJson;
  }
  if (schema.$ref !== undefined) {
    return fitting(resolve(schema.$ref));
  }
  if (schema.enum !== undefined) {
    return fc.constantFrom(...schema.enum);
  }
  switch (schema.type) {
    case 'object': {
      const required: string[] = schema.required ?? [];
      const members = Object.fromEntries(
        Object.entries(schema.properties).map(([name, member]) => [name, fitting(member)]),
      );
      const record = fc.record(members, { requiredKeys: required as never[] });
      return schema.anyOf === undefined
        ? record
        : record.filter((value: Loose) =>
            schema.anyOf.some((one: Loose) => one.required.every((name: string) => name in value)),
          );
    }
    case 'string':
      return text(schema);
    case 'integer':
      return fc.integer({ min: schema.minimum, max: schema.maximum });
    case 'number':
      // The smallest numbers of all cannot be kept.
      return fc
        .double({ min: schema.minimum, max: schema.maximum, noNaN: true })
        .map((value) => (Math.abs(value) < 1e-100 ? 0 : value));
    default:
      throw new Error(`no generator for ${JSON.stringify(schema)}`);
  }
}

function text({ format, pattern, minLength = 0, maxLength = 100 }: Loose): fc.Arbitrary<string> {
  if (format === 'uri') {
    return fc.constantFrom(...URLS);
  }
  const length = { minLength, maxLength: Math.min(maxLength, 300) };
  return pattern === undefined
    ? fc.string({ ...length, unit: 'grapheme' }).filter((value) => value.length <= maxLength)
    : fc.stringMatching(new RegExp(pattern), { maxLength: length.maxLength });
}

/** Values that are made from fitting ones by one change or two; most do not fit any more. */
export function spoilt(schema: Loose): fc.Arbitrary<Loose> {
  const names = Object.keys(schema.properties);
  const change = fc.oneof(
    fc.record({ kind: fc.constant('remove'), name: fc.constantFrom(...names), value: fc.constant(null) }),
    fc.record({
      kind: fc.constant('set'),
      name: fc.constantFrom(...names, 'unknown', '__proto__'),
      value: fc.oneof(storableJson, fc.constantFrom('', 'x'.repeat(5_000), -1, 1.5, 1e9, 'urgent', { url: 'x' })),
    }),
  );
  return fc.tuple(fitting(schema), fc.array(change, { minLength: 1, maxLength: 2 })).map(([value, changes]) => {
    const entries = new Map<string, unknown>(Object.entries(value));
    for (const { kind, name, value: changed } of changes) {
      if (kind === 'remove') {
        entries.delete(name);
      } else {
        entries.set(name, changed);
      }
    }
    return Object.fromEntries(entries);
  });
}
