import type { RehearsalClock } from '../../core/clock';
import type { ResourceHandler } from '../../core/resource';
import type { RehearsalService } from '../../core/service';
import { DynamoEngine, type ObservedWrite } from './engine';
import { plainItem, scanPages, TableSettingsStore } from './model';
import { dynamoDbOperations } from './operations';
import { globalTableHandler, tableHandler } from './resources';

export type { ObservedWrite } from './engine';

export interface DynamoDb {
  readonly service: RehearsalService;
  readonly handlers: readonly ResourceHandler[];
  /** Every item of a table as plain values: for the drill, without a call and its permissions. */
  scan(table: string): Promise<Record<string, unknown>[]>;
  /**
   * Reports every write of a single item in a table, as plain values, in the order of the writes and before their callers
   * get an answer.
   * @returns stops it
   */
  observe(table: string, observer: (write: ObservedWrite) => void): () => void;
  /** Deletes expired items now; otherwise this happens once an hour of cloud time. */
  sweep(): Promise<void>;
  stop(): Promise<void>;
}

/** DynamoDB, held by dynalite in memory. */
export function createDynamoDb({ clock }: { readonly clock: RehearsalClock }): DynamoDb {
  const engine = new DynamoEngine();
  const tables = new TableSettingsStore(engine, clock);
  return {
    service: dynamoDbOperations(engine),
    handlers: [tableHandler(engine, tables), globalTableHandler(engine, tables)],
    scan: async (table) => {
      const items: Record<string, unknown>[] = [];
      for await (const item of scanPages(engine, table)) items.push(plainItem(item));
      return items;
    },
    observe: (table, observer) =>
      engine.observe(table, ({ before, after, ...rest }) =>
        observer({ ...rest, before: before && plainItem(before), after: after && plainItem(after) }),
      ),
    sweep: () => tables.sweep(),
    stop: async () => {
      tables.stop();
      await engine.close();
    },
  };
}
