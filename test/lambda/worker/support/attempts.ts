import { QueryCommand } from '@aws-sdk/lib-dynamodb';
import type { AgentDefinition } from '../../../../lambda/runtime';
import type { AttemptEnvironment } from '../../../../lambda/runtime/context';
import { JournalStore } from '../../../../lambda/runtime/journal/journal-store';
import { TaskJournal } from '../../../../lambda/runtime/journal/task-journal';
import { ModelChain } from '../../../../lambda/runtime/model/model-chain';
import { SecretReader } from '../../../../lambda/runtime/secrets';
import { SessionStore } from '../../../../lambda/runtime/sessions';
import { compileToolSchemas } from '../../../../lambda/runtime/tools';
import { documentClient } from '../../../../lambda/shared/aws/clients/dynamodb';
import { type Clock, systemClock } from '../../../../lambda/shared/clock';
import type { TraceContext } from '../../../../lambda/shared/telemetry/tracing';
import { type AttemptOutcome, runAttempt } from '../../../../lambda/worker/attempt/run-attempt';
import type { JournalEntry, Mode, TaskLimitSettings, Usage } from '../../../../lib/contract';
import { startDynamoDb } from '../../../support/local-dynamodb';
import { type HttpStub, type StubAnswer, type StubRequest, startStub } from './http-stub';
import { MemoryPayloads } from './memory-payloads';
import { AGENT, behaviorDocument, KEY, KEY_ARN, modelMessage, RELEASE, SESSIONS, TASKS } from './task-cloud';

export interface AttemptSetup {
  /** @default 1 */
  readonly attempt?: number;
  /** @default a task of its own */
  readonly taskId?: string;
  readonly release?: string;
  readonly limits?: Partial<TaskLimitSettings>;
  readonly recordUsage?: Usage;
  readonly remainingMs?: number;
  readonly ranMs?: number;
  readonly deadlineAt?: number;
  readonly controller?: AbortController;
  readonly isLeaseHeld?: () => boolean;
  readonly mode?: Mode;
  readonly trace?: TraceContext;
  readonly transcripts?: boolean;
  readonly clock?: Clock;
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

let sequence = 0;

export function newTaskId(): string {
  sequence += 1;
  return `t-${sequence.toString(16).padStart(32, '0')}`;
}

/** Runs attempts of tasks as a worker does once it has claimed them: journal in a table, model on the wire. */
export class Attempts {
  readonly payloads = new MemoryPayloads();
  readonly lines: LogLine[] = [];
  model: (request: StubRequest) => StubAnswer | Promise<StubAnswer> = () => ({ body: modelMessage('fine') });

  readonly #dynamoDb: Awaited<ReturnType<typeof startDynamoDb>>;

  private constructor(
    dynamoDb: Awaited<ReturnType<typeof startDynamoDb>>,
    readonly provider: HttpStub,
  ) {
    this.#dynamoDb = dynamoDb;
    process.env.ANTHROPIC_BASE_URL = provider.endpoint;
  }

  static async start(): Promise<Attempts> {
    const dynamoDb = await startDynamoDb([TASKS, SESSIONS]);
    const provider = await startStub((request) => attempts.model(request));
    const attempts = new Attempts(dynamoDb, provider);
    return attempts;
  }

  get documents() {
    return documentClient(this.#dynamoDb.client);
  }

  store(clock = systemClock()): JournalStore {
    return new JournalStore(this.documents, TASKS, clock);
  }

  reset(): void {
    this.model = () => ({ body: modelMessage('fine') });
    this.provider.requests.length = 0;
    this.lines.length = 0;
    this.payloads.objects.clear();
    this.payloads.failure = undefined;
  }

  async run<I, O>(agent: AgentDefinition<I, O>, input: I, setup: AttemptSetup = {}): Promise<AttemptOutcome> {
    const { clock = systemClock(), attempt: number = 1, release = RELEASE, taskId = newTaskId() } = setup;
    const journal = await TaskJournal.open({
      store: this.store(clock),
      payloads: this.payloads,
      taskId,
      attempt: number,
      token: `token-${number}`,
      release,
      isLeaseHeld: setup.isLeaseHeld ?? (() => true),
      expiresAt: Math.ceil(clock.now() / 1000) + 86_400,
      recordUsage: setup.recordUsage,
      clock,
    });
    return runAttempt(agent, this.environment(setup, clock), {
      task: {
        id: taskId,
        agent: AGENT,
        release,
        lane: 'stable',
        priority: 'normal',
        mode: setup.mode ?? 'live',
        user: 'user-1',
        attempt: number,
        createdAt: clock.now(),
      },
      input: JSON.parse(JSON.stringify(input)),
      logger: {
        debug: this.#logAt('debug'),
        info: this.#logAt('info'),
        warn: this.#logAt('warn'),
        error: this.#logAt('error'),
      },
      remainingMs: setup.remainingMs ?? 60_000,
      journal: setup.mode === 'probe' ? undefined : journal,
      clock,
      controller: setup.controller,
      ranMs: setup.ranMs,
      deadlineAt: setup.deadlineAt,
      trace: setup.trace,
    });
  }

  environment({ limits, transcripts }: AttemptSetup, clock = systemClock()): AttemptEnvironment {
    const plain = behaviorDocument();
    const behavior = { ...plain, limits: { ...plain.limits, ...limits } };
    const secrets = new SecretReader({ anthropic: KEY_ARN }, clock, { fetch: async () => KEY });
    return {
      behavior,
      tools: compileToolSchemas(behavior.tools),
      secrets,
      models: new ModelChain({ behavior, secrets, clock }),
      sessions: new SessionStore({
        client: this.documents,
        table: SESSIONS,
        agent: AGENT,
        schema: 1,
        retentionDays: 7,
        clock,
      }),
      transcripts: transcripts === true ? this.payloads : undefined,
    };
  }

  /** The task's journal, by key. */
  async entries(taskId: string): Promise<ReadonlyMap<string, JournalEntry>> {
    return new Map((await this.store().load(taskId)).map((entry) => [entry.key, entry]));
  }

  /** How many items are in the task's partition, of whatever kind. */
  async items(taskId: string): Promise<readonly Record<string, unknown>[]> {
    const { Items = [] } = await this.documents.send(
      new QueryCommand({
        TableName: TASKS,
        KeyConditionExpression: 'pk = :task',
        ExpressionAttributeValues: { ':task': taskId },
      }),
    );
    return Items;
  }

  log(message: string): LogLine {
    const found = this.lines.find((line) => line.message.includes(message));
    if (found === undefined) {
      throw new Error(`no line says ${message}; there are ${JSON.stringify(this.lines)}`);
    }
    return found;
  }

  async close(): Promise<void> {
    await Promise.all([this.provider.close(), this.#dynamoDb.close()]);
  }

  #logAt(level: LogLine['level']) {
    return (message: string, fields: Record<string, unknown> = {}) => {
      this.lines.push({ level, message, fields });
    };
  }
}
