import batchGetItem from 'dynalite/actions/batchGetItem';
import batchWriteItem from 'dynalite/actions/batchWriteItem';
import createTable from 'dynalite/actions/createTable';
import deleteItem from 'dynalite/actions/deleteItem';
import deleteTable from 'dynalite/actions/deleteTable';
import describeTable from 'dynalite/actions/describeTable';
import getItem from 'dynalite/actions/getItem';
import putItem from 'dynalite/actions/putItem';
import query from 'dynalite/actions/query';
import scan from 'dynalite/actions/scan';
import updateItem from 'dynalite/actions/updateItem';
import * as db from 'dynalite/db';
import { checkTypes, checkValidations } from 'dynalite/validations';
import * as batchGetItemRules from 'dynalite/validations/batchGetItem';
import * as batchWriteItemRules from 'dynalite/validations/batchWriteItem';
import * as createTableRules from 'dynalite/validations/createTable';
import * as deleteItemRules from 'dynalite/validations/deleteItem';
import * as deleteTableRules from 'dynalite/validations/deleteTable';
import * as describeTableRules from 'dynalite/validations/describeTable';
import * as getItemRules from 'dynalite/validations/getItem';
import * as putItemRules from 'dynalite/validations/putItem';
import * as queryRules from 'dynalite/validations/query';
import * as scanRules from 'dynalite/validations/scan';
import * as updateItemRules from 'dynalite/validations/updateItem';
import { z } from 'zod';
import { REHEARSAL_ACCOUNT, REHEARSAL_REGION } from '../../core/resource';
import { ServiceError } from '../../core/service';

interface Operation {
  readonly run: typeof getItem;
  readonly rules: { readonly types: Readonly<Record<string, unknown>>; readonly custom: unknown };
}

const OPERATIONS = {
  BatchGetItem: { run: batchGetItem, rules: batchGetItemRules },
  BatchWriteItem: { run: batchWriteItem, rules: batchWriteItemRules },
  CreateTable: { run: createTable, rules: createTableRules },
  DeleteItem: { run: deleteItem, rules: deleteItemRules },
  DeleteTable: { run: deleteTable, rules: deleteTableRules },
  DescribeTable: { run: describeTable, rules: describeTableRules },
  GetItem: { run: getItem, rules: getItemRules },
  PutItem: { run: putItem, rules: putItemRules },
  Query: { run: query, rules: queryRules },
  Scan: { run: scan, rules: scanRules },
  UpdateItem: { run: updateItem, rules: updateItemRules },
} as const satisfies Record<string, Operation>;

export type EngineOperation = keyof typeof OPERATIONS;
type Input = Readonly<Record<string, unknown>>;
export type Output = Record<string, unknown>;

/** What dynalite throws for a service error. */
const apiErrorSchema = z.object({
  statusCode: z.number(),
  body: z.looseObject({ __type: z.string(), message: z.string().optional(), Message: z.string().optional() }),
});

/** Parsed expression: operators and functions with their arguments. Paths are arrays, values typed attributes. */
interface ExpressionNode {
  readonly type?: string;
  readonly args?: readonly unknown[];
}

/** A write that succeeded, with the item as it was before and is now; undefined where there is none. */
export interface ObservedWrite {
  readonly table: string;
  readonly before: Output | undefined;
  readonly after: Output | undefined;
}

export type WriteObserver = (write: ObservedWrite) => void;

/**
 * Dynalite without its HTTP server: the store, its validation and its actions in this process. Whatever dynalite
 * would silently ignore or evaluate wrongly is emulated here or refused by name.
 */
export class DynamoEngine {
  readonly #store = db.create({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
  /** Table → names of its key attributes. */
  readonly #keyNames = new Map<string, readonly string[]>();
  /** Last write of each item that is being written. */
  readonly #writes = new Map<string, Promise<unknown>>();
  readonly #observers = new Map<string, Set<WriteObserver>>();

  constructor() {
    this.#store.tableDb.awsAccountId = REHEARSAL_ACCOUNT;
    this.#store.tableDb.awsRegion = REHEARSAL_REGION;
  }

  /** @throws ServiceError as DynamoDB would answer. */
  async call(name: EngineOperation, input: Input): Promise<Output> {
    switch (name) {
      case 'PutItem':
        return this.#write(name, input, this.keyOf(String(input.TableName), input.Item));
      case 'UpdateItem':
      case 'DeleteItem':
        return this.#write(name, input, input.Key);
      default:
        return this.#run(name, input);
    }
  }

  /** Creates a table and waits until it can be used. */
  async createTable(input: Input & { readonly TableName: string }, keyNames: readonly string[]): Promise<Output> {
    await this.#run('CreateTable', input);
    for (;;) {
      const { Table } = await this.#run('DescribeTable', { TableName: input.TableName });
      const table = Table as Output;
      if (table.TableStatus === 'ACTIVE') {
        this.#keyNames.set(input.TableName, keyNames);
        return table;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async deleteTable(name: string): Promise<void> {
    await this.#run('DeleteTable', { TableName: name });
    this.#keyNames.delete(name);
  }

  /** Names of the key attributes, the partition key first; undefined if there is no such table. */
  keyAttributes(table: string): readonly string[] | undefined {
    return this.#keyNames.get(table);
  }

  /** The key of an item; undefined if there is no such table. */
  keyOf(table: string, item: unknown): Record<string, unknown> | undefined {
    const attributes = (item ?? {}) as Record<string, unknown>;
    const names = this.#keyNames.get(table);
    return names && Object.fromEntries(names.map((name) => [name, attributes[name]]));
  }

  async close(): Promise<void> {
    await this.#store.db.close();
  }

  /**
   * Reports every write of a single item in a table, in the order of the writes, before their callers get an answer. Batch
   * writes are not reported.
   * @returns stops it
   */
  observe(table: string, observer: WriteObserver): () => void {
    const observers = this.#observers.get(table) ?? new Set();
    this.#observers.set(table, observers.add(observer));
    return () => observers.delete(observer);
  }

  /**
   * Writes of one item run one after the other, so that a failed condition can be answered with the item that it was
   * evaluated on: dynalite does not support `ReturnValuesOnConditionCheckFailure`. Batch writes are not serialized.
   */
  #write(name: EngineOperation, input: Input, key: unknown): Promise<Output> {
    const item = JSON.stringify([input.TableName, key]);
    const before = this.#writes.get(item) ?? Promise.resolve();
    const own = before.then(
      () => this.#writeNow(name, input, key),
      () => this.#writeNow(name, input, key),
    );
    this.#writes.set(item, own);
    const done = () => {
      if (this.#writes.get(item) === own) this.#writes.delete(item);
    };
    own.then(done, done);
    return own;
  }

  async #writeNow(name: EngineOperation, input: Input, key: unknown): Promise<Output> {
    const { ReturnValuesOnConditionCheckFailure: returned = 'NONE', ...rest } = input;
    if (returned !== 'ALL_OLD' && returned !== 'NONE') {
      throw new ServiceError(
        'ValidationException',
        `ReturnValuesOnConditionCheckFailure: got ${JSON.stringify(returned)}, expected ALL_OLD or NONE`,
      );
    }
    try {
      return await this.#observed(name, rest, key);
    } catch (error) {
      const failed = error instanceof ServiceError && error.code === 'ConditionalCheckFailedException';
      if (!failed || returned === 'NONE') throw error;
      const { Item } = await this.#run('GetItem', { TableName: input.TableName, Key: key, ConsistentRead: true });
      throw Item === undefined ? error : new ServiceError(error.code, error.message, error.status, { Item });
    }
  }

  async #observed(name: EngineOperation, input: Input, key: unknown): Promise<Output> {
    const table = String(input.TableName);
    const observers = this.#observers.get(table);
    if (observers === undefined || observers.size === 0) return this.#run(name, input);
    const item = async () =>
      (await this.#run('GetItem', { TableName: table, Key: key, ConsistentRead: true })).Item as Output | undefined;
    const before = await item();
    const output = await this.#run(name, input);
    const after = await item();
    for (const observer of observers) observer({ table, before, after });
    return output;
  }

  #run(name: EngineOperation, input: Input): Promise<Output> {
    const { run, rules }: Operation = OPERATIONS[name];
    for (const parameter of Object.keys(input)) {
      if (!(parameter in rules.types)) {
        throw new ServiceError('NotRehearsable', `not rehearsable: dynamodb.${name} with ${parameter}`, 501);
      }
    }
    return new Promise((resolve, reject) => {
      try {
        const data = checkTypes({ ...input }, rules.types);
        checkValidations(data, rules.types, rules.custom, this.#store);
        for (const parsed of [data._condition, data._filter]) {
          refuseDeepComparison(name, (parsed as { expression?: unknown } | undefined)?.expression);
        }
        run(this.#store, data, (error, output) => {
          if (error) reject(serviceError(error));
          else resolve(output ?? {});
        });
      } catch (error) {
        reject(serviceError(error));
      }
    });
  }
}

/** Dynalite compares maps and lists by identity, so an equality with one would always fail. */
function refuseDeepComparison(operation: string, node: unknown): void {
  const { type, args = [] } = (node ?? {}) as ExpressionNode;
  for (const arg of args) {
    if (typeof arg !== 'object' || arg === null || Array.isArray(arg)) continue;
    if ((type === '=' || type === '<>' || type === 'in') && ('M' in arg || 'L' in arg)) {
      throw new ServiceError(
        'NotRehearsable',
        `not rehearsable: dynamodb.${operation} whose condition compares a map or a list with "${type}"`,
        501,
      );
    }
    refuseDeepComparison(operation, arg);
  }
}

function serviceError(error: unknown): unknown {
  if (error instanceof ServiceError) return error;
  const parsed = apiErrorSchema.safeParse(error);
  if (!parsed.success) return error;
  const { __type, message, Message, ...members } = parsed.data.body;
  const code = __type.split('#').at(-1) ?? __type;
  return new ServiceError(code, message ?? Message ?? '', parsed.data.statusCode, members);
}
