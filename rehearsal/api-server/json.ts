/** JSON as the AWS JSON protocols write it: timestamps as seconds since 1970, binary data in base64. */
export function toAwsJson(value: unknown): string {
  return JSON.stringify(value, replace) ?? '{}';
}

/** `JSON.stringify` hands over dates as strings; `this` still has the date. */
function replace(this: unknown, key: string, value: unknown): unknown {
  const raw = (this as Record<string, unknown>)[key];
  if (raw instanceof Date) return raw.getTime() / 1000;
  if (raw instanceof Uint8Array) return Buffer.from(raw).toString('base64');
  return value;
}
