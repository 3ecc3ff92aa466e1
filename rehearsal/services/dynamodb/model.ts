import type { RehearsalClock, Timer } from '../../core/clock';
import { REHEARSAL_ACCOUNT, REHEARSAL_REGION } from '../../core/resource';
import { ServiceError } from '../../core/service';
import type { DynamoEngine, Output } from './engine';

/** Cloud milliseconds between two sweeps for expired items; at high speed never less than a real minute. */
const SWEEP_INTERVAL = 3_600_000;
const MIN_REAL_SWEEP_INTERVAL = 60_000;

/** Items that expired longer ago are not deleted. Seconds. */
const OLDEST_EXPIRY = 5 * 365 * 86_400;

export interface TableSettings {
  /** Attribute with the expiry, seconds since 1970. */
  readonly ttlAttribute: string | undefined;
  readonly deletionProtection: boolean;
}

/** Table settings that dynalite does not support: expiry and deletion protection. */
export class TableSettingsStore {
  readonly #engine: DynamoEngine;
  readonly #clock: RehearsalClock;
  readonly #settings = new Map<string, TableSettings>();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(engine: DynamoEngine, clock: RehearsalClock) {
    this.#engine = engine;
    this.#clock = clock;
  }

  configure(table: string, settings: TableSettings): void {
    this.#settings.set(table, settings);
    if (settings.ttlAttribute !== undefined && this.#timer === undefined) this.#schedule();
  }

  isProtected(table: string): boolean {
    return this.#settings.get(table)?.deletionProtection === true;
  }

  remove(table: string): void {
    this.#settings.delete(table);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#settings.clear();
  }

  /**
   * Deletes expired items. DynamoDB deletes them within days of the expiry and returns them until then; here it happens
   * within an hour. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
   */
  async sweep(): Promise<void> {
    for (const [table, { ttlAttribute }] of this.#settings) {
      if (ttlAttribute !== undefined) await this.#sweepTable(table, ttlAttribute);
    }
  }

  async #sweepTable(table: string, attribute: string): Promise<void> {
    const now = Math.floor(this.#clock.now() / 1000);
    const expired = {
      ExpressionAttributeNames: { '#expiry': attribute },
      ExpressionAttributeValues: { ':now': { N: String(now) }, ':oldest': { N: String(now - OLDEST_EXPIRY) } },
    };
    const condition = '#expiry < :now AND #expiry > :oldest';
    for await (const item of scanPages(this.#engine, table, { ...expired, FilterExpression: condition })) {
      try {
        await this.#engine.call('DeleteItem', {
          TableName: table,
          Key: this.#engine.keyOf(table, item),
          ConditionExpression: condition,
          ...expired,
        });
      } catch (error) {
        // Written again since the scan: no longer expired.
        if (!(error instanceof ServiceError && error.code === 'ConditionalCheckFailedException')) throw error;
      }
    }
  }

  #schedule(): void {
    const interval = Math.max(SWEEP_INTERVAL, MIN_REAL_SWEEP_INTERVAL * this.#clock.speed);
    this.#timer = this.#clock.after(interval, () => {
      const again = () => {
        if (!this.#stopped) this.#schedule();
      };
      this.sweep().then(again, (error: unknown) => {
        // The table or the store may have been deleted during the scan; the next sweep does not see it.
        if (!(error instanceof ServiceError) && !this.#stopped) throw error;
        again();
      });
    });
  }
}

/** Every item of a table, in DynamoDB's typed form. */
export async function* scanPages(
  engine: DynamoEngine,
  table: string,
  options: Readonly<Record<string, unknown>> = {},
): AsyncGenerator<Output> {
  let start: unknown;
  do {
    const page = await engine.call('Scan', {
      TableName: table,
      ...options,
      ...(start === undefined ? {} : { ExclusiveStartKey: start }),
    });
    yield* (page.Items ?? []) as Output[];
    start = page.LastEvaluatedKey;
  } while (start !== undefined);
}

/** The name of a table that a caller identifies by name or ARN. */
export function tableName(nameOrArn: string): string {
  return nameOrArn.startsWith('arn:') ? (nameOrArn.split(':table/')[1] ?? nameOrArn) : nameOrArn;
}

export function tableArn(name: string): string {
  return `arn:aws:dynamodb:${REHEARSAL_REGION}:${REHEARSAL_ACCOUNT}:table/${name}`;
}

/** A typed attribute as a plain value: numbers as JavaScript numbers, sets as arrays, binary as base64. */
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
