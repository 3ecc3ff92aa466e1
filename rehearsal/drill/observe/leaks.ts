import type { LeakHistory } from '../report/history';
import type { Scenario } from '../scenario/scenario';

/** Shorter values stand in any text by chance. */
const MIN_LENGTH = 12;

/** Keys of service accounts are made while the drill runs, and known by how they begin. */
const MADE_KEY = /sk-svcacct-[0-9a-f]{8}/;

/** What a cloud holds when a run is over. */
export interface Remains {
  logGroups(): readonly string[];
  logLines(logGroup: string): readonly { readonly message: string }[];
  traces(): readonly { readonly id: string; readonly documents: readonly unknown[] }[];
  readonly tables: { names(): readonly string[]; scan(table: string): Promise<readonly unknown[]> };
  queues(): readonly { readonly name: string }[];
  messagesIn(queue: string): readonly string[];
}

/** Values of the scenario that may be left nowhere. */
export function plantedSecrets({ secrets = [], rotation }: Scenario): readonly string[] {
  const keys = rotation === undefined ? [] : [...rotation.poolKeys, rotation.adminKey];
  return [...new Set([...secrets.map(({ value }) => value), ...keys])].filter(({ length }) => length >= MIN_LENGTH);
}

/**
 * Looks for secrets in all that a run leaves: log lines, traces, items of tables, messages in queues, and what is handed in.
 * Undefined when the scenario has none that can be told from other text.
 *
 * @param more further texts, by what they are called
 */
export async function findLeaks(
  cloud: Remains,
  scenario: Scenario,
  more: Readonly<Record<string, string>>,
): Promise<LeakHistory | undefined> {
  const secrets = plantedSecrets(scenario);
  if (secrets.length === 0) {
    return undefined;
  }
  const holdsOne = (text: string) =>
    secrets.some((secret) => text.includes(secret)) || (scenario.rotation !== undefined && MADE_KEY.test(text));
  const found: string[] = [];
  const looked = { lines: 0, traces: 0, items: 0, messages: 0 };
  for (const group of cloud.logGroups()) {
    const lines = cloud.logLines(group);
    looked.lines += lines.length;
    if (lines.some(({ message }) => holdsOne(message))) {
      found.push(group);
    }
  }
  for (const { id, documents } of cloud.traces()) {
    looked.traces += 1;
    if (holdsOne(JSON.stringify(documents))) {
      found.push(`trace ${id}`);
    }
  }
  for (const table of cloud.tables.names()) {
    const items = await cloud.tables.scan(table);
    looked.items += items.length;
    if (items.some((item) => holdsOne(JSON.stringify(item)))) {
      found.push(`table ${table}`);
    }
  }
  for (const { name } of cloud.queues()) {
    const messages = cloud.messagesIn(name);
    looked.messages += messages.length;
    if (messages.some(holdsOne)) {
      found.push(`queue ${name}`);
    }
  }
  found.push(...Object.entries(more).flatMap(([name, text]) => (holdsOne(text) ? [name] : [])));
  return { secrets: secrets.length, looked, found };
}
