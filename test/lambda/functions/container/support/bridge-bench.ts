import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { AgentContainer } from '../../../../../lambda/functions/container/agent-container';
import { LocalServer } from '../../../../../lambda/functions/container/local-server';
import { sqsRecordSchema } from '../../../../../lambda/shared/aws/sqs-event';
import { type Clock, systemClock } from '../../../../../lambda/shared/clock';
import { readWorkerSettings } from '../../../../../lambda/worker/settings';
import type { TaskRecord } from '../../../../../lib/contract';
import {
  type CancelRequest,
  type CheckpointRequest,
  type RunRequest,
  runRequestSchema,
} from '../../../../../lib/contract/agent-protocol';
import { documentOf } from '../../../../contract/support/agent-document';
import { Bench } from '../../../worker/support/attempt-harness';
import { type MessageOptions, messageFor } from '../../../worker/support/task-cloud';
import { freePort } from './container-process';

/** An answer of the worker, as an agent gets it. */
export interface Answered {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the worker answered
  readonly body: any;
}

/** What an agent in a container can do with a task. */
export interface AgentSide {
  readonly request: RunRequest;
  /** Calls the worker, below the task's URL; the answer is checked by the OpenAPI document. */
  readonly call: (method: 'GET' | 'POST' | 'PUT', path: string, body?: unknown) => Promise<Answered>;
  /** As {@link call}, with whatever token and text. */
  readonly raw: (method: string, path: string, text: string | undefined, token: string) => Promise<Answered>;
  /** Ends when the worker has closed the connection. */
  readonly closed: Promise<void>;
}

/** Gives the body of the answer to `/run`, or status and body, or what is written as it is; `break` breaks the connection off. */
export type AgentRun = (agent: AgentSide) => unknown;

export class Reply {
  constructor(
    readonly status: number,
    readonly body: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {}
}

export const BREAK = Symbol('break off');

export interface BridgeOptions extends MessageOptions {
  readonly task?: Partial<TaskRecord>;
  readonly remainingMs?: number;
  /** What the agent answers to `/health`. @default an empty object */
  readonly health?: unknown;
  readonly stop?: AbortSignal;
  /** By which the agent is waited for and looked after. @default that of the worker */
  readonly clock?: Clock;
  /** Called with the container before the task is delivered. */
  readonly onStarted?: (container: AgentContainer) => void;
}

const schemas = documentOf();

/** A worker and an agent in a container beside it, in this process, over HTTP; for the tests of one file. */
export class BridgeBench extends Bench {
  readonly cancelled: CancelRequest[] = [];
  readonly checkpointed: CheckpointRequest[] = [];
  /** Messages that the document of the protocol does not say, and what agents of tests did not expect. */
  readonly wrong: unknown[] = [];
  #server: Server | undefined;
  #run: AgentRun = () => ({ result: null });
  #health: unknown = {};

  constructor() {
    super();
    beforeAll(async () => {
      this.#server = createServer((request, response) => void this.#serve(request, response));
      this.#server.listen(0, '127.0.0.1');
      await once(this.#server, 'listening');
    });
    afterAll(() => {
      this.#server?.closeAllConnections();
      this.#server?.close();
    });
    beforeEach(() => {
      this.cancelled.length = 0;
      this.checkpointed.length = 0;
    });
    afterEach(() => expect(this.wrong.splice(0)).toEqual([]));
  }

  get agentPort(): number {
    const address = this.#server?.address();
    if (typeof address !== 'object' || address === null) {
      throw new Error('the agent does not listen');
    }
    return address.port;
  }

  /** Delivers the message of a new task to a worker of its own, beside an agent that does this with it. */
  async bridged(run: AgentRun, options: BridgeOptions = {}) {
    return this.delivered(await this.cloud.putTask(options.task), run, options);
  }

  /** As {@link bridged}, for a task that is there. */
  async delivered(
    task: TaskRecord,
    run: AgentRun,
    { health = {}, remainingMs = 60_000, stop, clock, onStarted, ...options }: BridgeOptions = {},
  ) {
    this.#run = run;
    this.#health = health;
    const workerPort = await freePort();
    const workerClock = systemClock();
    const logger = { info: () => {}, warn: () => {}, error: () => {} };
    const container = new AgentContainer({
      agentPort: this.agentPort,
      workerPort,
      clock: clock ?? workerClock,
      logger,
    });
    const server = await LocalServer.open({
      port: workerPort,
      health: () => ({ healthy: true, health: { state: 'polling', tasks: 0 } }),
      routes: container.routes,
      logger,
    });
    try {
      const started = await container.start(new AbortController().signal);
      onStarted?.(container);
      const worker = started.createProcessor({ settings: readWorkerSettings(), clock: workerClock });
      const verdict = await worker.process(sqsRecordSchema.parse(messageFor(task, options)), () => remainingMs, stop);
      return { record: await this.cloud.task(task.id), deleted: verdict === 'delete', problem: started.problem };
    } finally {
      await server.close();
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const sent = await text(request);
    const body = sent === '' ? undefined : JSON.parse(sent);
    const answer = (status: number, content: unknown, headers = {}) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(typeof content === 'string' ? content : JSON.stringify(content));
    };
    switch (request.url) {
      case '/health':
        return this.#health instanceof Reply
          ? answer(this.#health.status, this.#health.body)
          : answer(200, this.#health);
      case '/cancel':
        this.#check('CancelRequest', body);
        this.cancelled.push(body);
        return answer(200, {});
      case '/checkpoint':
        this.#check('CheckpointRequest', body);
        this.checkpointed.push(body);
        return answer(200, {});
    }
    this.#check('RunRequest', body);
    let result: unknown;
    try {
      result = await this.#run(this.#sideOf(runRequestSchema.parse(body), response));
    } catch (error) {
      this.wrong.push(error);
      result = new Reply(500, '');
    }
    if (result === BREAK) {
      response.socket?.destroy();
    } else if (result instanceof Reply) {
      answer(result.status, result.body, result.headers);
    } else {
      answer(200, result);
    }
  }

  #sideOf(request: RunRequest, response: ServerResponse): AgentSide {
    const raw: AgentSide['raw'] = async (method, path, content, token) => {
      const answered = await fetch(`${request.worker.url}${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: content,
      });
      return { status: answered.status, body: await answered.json() };
    };
    return {
      request,
      raw,
      call: async (method, path, body) => {
        const answered = await raw(
          method,
          path,
          body === undefined ? undefined : JSON.stringify(body),
          request.worker.token,
        );
        this.#document(method, path, answered);
        return answered;
      },
      closed: new Promise((resolve) => response.on('close', resolve)),
    };
  }

  #check(name: string, body: unknown): void {
    const isValid = schemas.validatorAt('components', 'schemas', name);
    if (!isValid(body)) {
      this.wrong.push({ name, body, errors: isValid.errors });
    }
  }

  #document(method: string, path: string, { status, body }: Answered): void {
    const bare = path.replace(/\?.*$/, '');
    const documented = Object.keys(schemas.document.paths).find((each) =>
      new RegExp(`^/tasks/\\{id\\}${bare.replaceAll(/[^/]+/g, (part) => `(${part}|\\{\\w+\\})`)}$`).test(each),
    );
    const responses = schemas.document.paths[documented ?? '']?.[method.toLowerCase()]?.responses;
    if (documented === undefined || responses?.[status] === undefined) {
      // A path or a method that is not there is of no document.
      if (status !== 404 && status !== 405) {
        this.wrong.push({ method, path, status, body });
      }
      return;
    }
    const place = ['paths', documented, method.toLowerCase(), 'responses', String(status)];
    const isValid = schemas.validatorAt(...place, 'content', 'application/json', 'schema');
    if (!isValid(body)) {
      this.wrong.push({ method, path, status, body, errors: isValid.errors });
    }
  }
}
