/** A typed attribute as the value it stands for: numbers as JavaScript numbers, sets as arrays, binary as base64. */
export function plainAttribute(attribute: unknown): unknown {
  const [[type, value] = ['', undefined]] = Object.entries((attribute ?? {}) as Record<string, unknown>);
  switch (type) {
    case 'S':
    case 'BOOL':
    case 'B':
    case 'SS':
    case 'BS':
      return value;
    case 'N':
      return Number(value);
    case 'NULL':
      return null;
    case 'NS':
      return (value as readonly string[]).map(Number);
    case 'L':
      return (value as readonly unknown[]).map(plainAttribute);
    case 'M':
      return plainItem(value as Readonly<Record<string, unknown>>);
    default:
      throw new TypeError(`attribute of type "${type}": expected one of DynamoDB's`);
  }
}

export function plainItem(item: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(item).map(([name, attribute]) => [name, plainAttribute(attribute)]));
}
