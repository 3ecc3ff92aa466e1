import type { LeakHistory } from '../report/history';
import type { Scenario } from '../scenario/scenario';

/** Shorter values may occur in any text by chance. */
const MIN_LENGTH = 12;

/** Keys of service accounts are created during the drill, and recognized by their prefix. */
const SERVICE_ACCOUNT_KEY = /sk-svcacct-[0-9a-f]{8}/;

/** The places in which secrets are searched for. */
export interface SearchableCloud {
  logGroups(): readonly string[];
  logLines(logGroup: string): readonly { readonly message: string }[];
  traces(): readonly { readonly id: string; readonly documents: readonly unknown[] }[];
  readonly tables: { names(): readonly string[]; scan(table: string): Promise<readonly unknown[]> };
  queues(): readonly { readonly name: string }[];
  messagesIn(queue: string): readonly string[];
}

/** Secret values of the scenario that are long enough to search for. */
export function secretsToSearch({ secrets = [], rotation }: Scenario): readonly string[] {
  const keys = rotation === undefined ? [] : [...rotation.poolKeys, rotation.adminKey];
  return [...new Set([...secrets.map(({ value }) => value), ...keys])].filter(({ length }) => length >= MIN_LENGTH);
}

/**
 * Searches log lines, traces, items of tables, messages in queues and further texts for secrets. Undefined when the scenario
 * has no secret to search for.
 *
 * @param texts further texts by name
 */
export async function findLeaks(
  cloud: SearchableCloud,
  scenario: Scenario,
  texts: Readonly<Record<string, string>>,
): Promise<LeakHistory | undefined> {
  const secrets = secretsToSearch(scenario);
  if (secrets.length === 0) {
    return undefined;
  }
  const hasSecret = (text: string) =>
    secrets.some((secret) => text.includes(secret)) ||
    (scenario.rotation !== undefined && SERVICE_ACCOUNT_KEY.test(text));
  const found: string[] = [];
  const searched = { lines: 0, traces: 0, items: 0, messages: 0 };
  for (const group of cloud.logGroups()) {
    const lines = cloud.logLines(group);
    searched.lines += lines.length;
    if (lines.some(({ message }) => hasSecret(message))) {
      found.push(group);
    }
  }
  for (const { id, documents } of cloud.traces()) {
    searched.traces += 1;
    if (hasSecret(JSON.stringify(documents))) {
      found.push(`trace ${id}`);
    }
  }
  for (const table of cloud.tables.names()) {
    const items = await cloud.tables.scan(table);
    searched.items += items.length;
    if (items.some((item) => hasSecret(JSON.stringify(item)))) {
      found.push(`table ${table}`);
    }
  }
  for (const { name } of cloud.queues()) {
    const messages = cloud.messagesIn(name);
    searched.messages += messages.length;
    if (messages.some(hasSecret)) {
      found.push(`queue ${name}`);
    }
  }
  found.push(...Object.entries(texts).flatMap(([name, text]) => (hasSecret(text) ? [name] : [])));
  return { secrets: secrets.length, searched, found };
}
