/**
 * Size of an item as DynamoDB charges it: names and values in UTF-8, 1 byte and more for numbers, 3 bytes for a map or a
 * list and 1 for each member
 * (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html).
 */
export function itemBytes(item: Readonly<Record<string, unknown>>): number {
  return Object.entries(item).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + valueBytes(value), 0);
}

function valueBytes(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return Buffer.byteLength(value);
    case 'number':
      return Math.ceil(String(value).replaceAll(/[^0-9]/g, '').length / 2) + 1;
    case 'object':
      if (value === null) {
        return 1;
      }
      return Array.isArray(value)
        ? value.reduce((sum: number, member) => sum + valueBytes(member) + 1, 3)
        : 3 +
            Object.entries(value).reduce(
              (sum, [name, member]) => sum + Buffer.byteLength(name) + valueBytes(member) + 1,
              0,
            );
    default:
      return 1;
  }
}
