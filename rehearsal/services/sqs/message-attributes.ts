import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ServiceError } from '../../core/service';

/** A message attribute on the wire; binary values in base64. */
export const messageAttributeSchema = z.looseObject({
  DataType: z.string(),
  StringValue: z.string().optional(),
  BinaryValue: z.string().optional(),
});
export type MessageAttribute = z.infer<typeof messageAttributeSchema>;
export type MessageAttributes = Readonly<Record<string, MessageAttribute>>;

const MAX_ATTRIBUTES = 10;
const NAME = /^(?!aws\.|amazon\.)(?!\.)(?!.*\.\.)[A-Za-z0-9_.-]{1,256}(?<!\.)$/i;
const DATA_TYPE = /^(String|Number|Binary)(\..{1,249})?$/;

/**
 * Refuses what SQS refuses.
 *
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
 * @throws ServiceError InvalidParameterValue
 */
export function checkMessageAttributes(attributes: MessageAttributes): void {
  const names = Object.keys(attributes);
  if (names.length > MAX_ATTRIBUTES) {
    throw invalid(`Number of message attributes [${names.length}] exceeds the allowed maximum [${MAX_ATTRIBUTES}].`);
  }
  for (const [name, attribute] of Object.entries(attributes)) {
    if (!NAME.test(name)) {
      throw invalid(`The message attribute name '${name}' is invalid.`);
    }
    if (!DATA_TYPE.test(attribute.DataType)) {
      throw invalid(
        `The type of message (user) attribute '${name}' is invalid. You must use only the following supported type prefixes: Binary, Number, String.`,
      );
    }
    const value = attribute.DataType.startsWith('Binary') ? attribute.BinaryValue : attribute.StringValue;
    if (value === undefined || value === '') {
      throw invalid(
        `The message (user) attribute '${name}' must contain a non-empty value of type '${attribute.DataType}'.`,
      );
    }
    if (attribute.DataType.startsWith('Number') && !Number.isFinite(Number(value))) {
      throw invalid(`Can't cast the value of message (user) attribute '${name}' to a number.`);
    }
  }
}

/** Bytes that count towards the size of the message: names, types and values. */
export function attributesSize(attributes: MessageAttributes): number {
  let size = 0;
  for (const [name, attribute] of Object.entries(attributes)) {
    size += Buffer.byteLength(name) + Buffer.byteLength(attribute.DataType) + wireValue(attribute).bytes.length;
  }
  return size;
}

/**
 * The digest that SDKs compare; undefined without attributes.
 *
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html#sqs-attributes-md5-message-digest-calculation
 */
export function md5OfAttributes(attributes: MessageAttributes): string | undefined {
  const names = Object.keys(attributes).sort();
  if (names.length === 0) {
    return undefined;
  }
  const hash = createHash('md5');
  const addSized = (bytes: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  };
  for (const name of names) {
    const attribute = attributes[name];
    if (attribute === undefined) {
      continue;
    }
    const value = wireValue(attribute);
    addSized(Buffer.from(name));
    addSized(Buffer.from(attribute.DataType));
    hash.update(Buffer.from([value.binary ? 2 : 1]));
    addSized(value.bytes);
  }
  return hash.digest('hex');
}

/** Those that a receiver asked for: `All`, `.*`, a name, or a prefix followed by `.*`. */
export function selectAttributes(attributes: MessageAttributes, wanted: readonly string[]): MessageAttributes {
  if (wanted.length === 0) {
    return {};
  }
  if (wanted.includes('All') || wanted.includes('.*')) {
    return attributes;
  }
  return Object.fromEntries(
    Object.entries(attributes).filter(([name]) =>
      wanted.some((want) => (want.endsWith('.*') ? name.startsWith(want.slice(0, -2)) : want === name)),
    ),
  );
}

function wireValue(attribute: MessageAttribute): { readonly binary: boolean; readonly bytes: Buffer } {
  return attribute.DataType.startsWith('Binary')
    ? { binary: true, bytes: Buffer.from(attribute.BinaryValue ?? '', 'base64') }
    : { binary: false, bytes: Buffer.from(attribute.StringValue ?? '') };
}

function invalid(message: string): ServiceError {
  return new ServiceError('InvalidParameterValue', message);
}
