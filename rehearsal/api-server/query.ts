/**
 * The query protocol: a form as request, XML as answer.
 * https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
 */

interface Node {
  value?: string;
  readonly children: Map<string, Node>;
}

export interface QueryRequest {
  readonly operation: string;
  readonly input: Record<string, unknown>;
}

/**
 * Decodes a form. `X.member.N` becomes a list, `X.entry.N` a map, `X.Y` a structure; values stay strings. Undefined
 * without an `Action`.
 */
export function decodeQuery(form: string): QueryRequest | undefined {
  const root: Node = { children: new Map() };
  for (const [name, value] of new URLSearchParams(form)) {
    let node = root;
    for (const part of name.split('.')) {
      let child = node.children.get(part);
      if (child === undefined) {
        child = { children: new Map() };
        node.children.set(part, child);
      }
      node = child;
    }
    node.value = value;
  }
  const operation = root.children.get('Action')?.value;
  if (operation === undefined) return undefined;
  root.children.delete('Action');
  root.children.delete('Version');
  return { operation, input: structure(root) };
}

function structure(node: Node): Record<string, unknown> {
  return Object.fromEntries([...node.children].map(([name, child]) => [name, decoded(child)]));
}

function decoded(node: Node): unknown {
  const members = node.children.get('member');
  if (members !== undefined) return inOrder(members).map(decoded);
  const entries = node.children.get('entry');
  if (entries !== undefined) return Object.fromEntries(inOrder(entries).map(mapEntry));
  return node.children.size === 0 ? (node.value ?? '') : structure(node);
}

function inOrder(list: Node): Node[] {
  return [...list.children].sort(([a], [b]) => Number(a) - Number(b)).map(([, child]) => child);
}

/** The name of a map entry is called `key` or, where the service says so, `Name`; its value `value` or `Value`. */
function mapEntry(entry: Node): [string, unknown] {
  const key = entry.children.get('key') ?? entry.children.get('Name');
  const value = entry.children.get('value') ?? entry.children.get('Value');
  return [key?.value ?? '', value === undefined ? undefined : decoded(value)];
}

/** The answer to an operation: lists as `<member>`, `Map`s as `<entry>`. */
export function encodeQuery(operation: string, output: unknown, requestId: string, namespace?: string): string {
  const xmlns = namespace === undefined ? '' : ` xmlns="${escapeXml(namespace)}"`;
  const result = output === undefined ? '' : `<${operation}Result>${encoded(output)}</${operation}Result>`;
  const metadata = `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata>`;
  return `<?xml version="1.0"?>\n<${operation}Response${xmlns}>${result}${metadata}</${operation}Response>`;
}

function encoded(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map((item) => `<member>${encoded(item)}</member>`).join('');
  if (value instanceof Map) {
    return [...value]
      .map(([key, item]) => `<entry><key>${escapeXml(String(key))}</key><value>${encoded(item)}</value></entry>`)
      .join('');
  }
  if (typeof value === 'object') {
    return Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([name, item]) => `<${name}>${encoded(item)}</${name}>`)
      .join('');
  }
  return escapeXml(String(value));
}

const XML_ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

export function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => XML_ESCAPES[character] ?? character);
}
