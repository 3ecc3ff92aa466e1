const compiled = new Map<string, RegExp>();

/** A pattern with `*` (any text) and `?` (one character), anchored. Compiled once per pattern. */
export function wildcard(pattern: string, flags: '' | 'i' = ''): RegExp {
  const key = `${flags}/${pattern}`;
  let expression = compiled.get(key);
  if (expression === undefined) {
    const source = pattern
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.');
    expression = new RegExp(`^${source}$`, `s${flags}`);
    compiled.set(key, expression);
  }
  return expression;
}
