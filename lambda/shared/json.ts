/** @returns undefined for a text that is not JSON; a schema then rejects it with its own message */
export function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
