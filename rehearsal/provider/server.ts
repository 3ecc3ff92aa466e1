import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sha256 } from '../../lib/contract';
import { chatDialect } from './chat-dialect';
import { converseDialect } from './converse-dialect';
import type { Dialect, DialectResponse, ParsedRequest } from './dialect';
import { messagesDialect } from './messages-dialect';
import type { ErrorStatus, ProviderRule } from './rules';
import { ProviderScript, type RuleCount, type ScriptedOutcome } from './script';

export interface ProviderOptions {
  /** The first rule that matches a request answers it. */
  readonly rules: readonly ProviderRule[];
  /** The same seed gives the same answers. */
  readonly seed: number;
  /** Called with the messages of every valid request. @default - not called */
  readonly onPrompt?: (text: string) => void;
  /** Validates keys, and serves the API that manages them. @default - every non-empty key is valid */
  readonly keys?: ProviderKeys;
}

/** Keys of a provider. */
export interface ProviderKeys {
  readonly accepts: (key: string) => boolean;
  /** Serves a request of the key management. @returns false for any other request */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => Promise<boolean>;
}

/** Maximum size of a request, in bytes: the limit of the Messages API. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;

/** The supported APIs. */
const DIALECTS: readonly Dialect[] = [messagesDialect, chatDialect, converseDialect];

/**
 * A model provider with the APIs of Anthropic, OpenAI and Amazon Bedrock, which all answer by one script. It listens on
 * 127.0.0.1 only.
 */
export class ScriptedProvider {
  #requests = 0;

  readonly #server: Server;
  readonly #script: ProviderScript;
  readonly #onPrompt: ((text: string) => void) | undefined;
  readonly #keys: ProviderKeys | undefined;

  private constructor(
    server: Server,
    script: ProviderScript,
    onPrompt: ((text: string) => void) | undefined,
    keys: ProviderKeys | undefined,
  ) {
    this.#server = server;
    this.#script = script;
    this.#onPrompt = onPrompt;
    this.#keys = keys;
  }

  static async start(options: ProviderOptions): Promise<ScriptedProvider> {
    const server = createServer();
    const script = new ProviderScript(options.rules, options.seed);
    const provider = new ScriptedProvider(server, script, options.onPrompt, options.keys);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      provider.#serve(request, response).catch((error: unknown) => {
        sendJson(response, 500, { message: error instanceof Error ? error.message : String(error) });
      });
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => {
        server.off('error', reject);
        resolve();
      });
    });
    return provider;
  }

  /** Base URL for `ANTHROPIC_BASE_URL` and Bedrock's endpoint, without a trailing slash. OpenAI's base URL adds `/v1`. */
  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  counts(): readonly RuleCount[] {
    return this.#script.counts();
  }

  /** Number of requests that no rule matched. */
  unmatched(): number {
    return this.#script.unmatched();
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#requests += 1;
    const id = sha256(String(this.#requests)).slice(0, 24);
    response.setHeader('request-id', `req_${id}`);
    if (await this.#keys?.handle(request, response)) {
      return;
    }
    const path = request.url?.split('?')[0] ?? '';
    const dialect = DIALECTS.find((candidate) => candidate.serves(request.method, path));
    if (dialect === undefined) {
      const routes = DIALECTS.map(({ route }) => route).join(', ');
      send(
        response,
        404,
        messagesDialect.error(404, `${request.method} ${request.url} is not supported, expected one of ${routes}`, id),
      );
      return;
    }
    const fail = (status: ErrorStatus, message: string) => send(response, status, dialect.error(status, message, id));
    const key = dialect.keyOf(request);
    if (key === '') {
      fail(401, 'a key is required: as x-api-key or bearer token, or for Bedrock a signature');
      return;
    }
    if (key !== undefined && this.#keys?.accepts(key) === false) {
      fail(401, 'scripted: invalid key');
      return;
    }
    const body = await readBody(request);
    if (body === undefined) {
      fail(413, `the request is larger than ${MAX_BODY_BYTES} bytes`);
      return;
    }
    const parsed = parseRequest(dialect, body, path);
    if (!parsed.ok) {
      fail(400, parsed.problem);
      return;
    }
    this.#onPrompt?.(parsed.request.messages);
    await respond(this.#script.decide(parsed.request), { dialect, id, model: parsed.request.model, response });
  }
}

interface Exchange {
  readonly dialect: Dialect;
  readonly id: string;
  readonly model: string;
  readonly response: ServerResponse;
}

async function respond(outcome: ScriptedOutcome, { dialect, id, model, response }: Exchange): Promise<void> {
  if (outcome.kind === 'timeout') {
    return; // The caller's timeout, or the end of the run, closes the connection.
  }
  if (outcome.kind === 'unmatched') {
    const message = `no rule of the scenario matches this request for model ${model}: add one to provider.rules, without "match" to match every request`;
    send(response, 400, dialect.error(400, message, id));
    return;
  }
  await new Promise((resolve) => setTimeout(resolve, outcome.latencyMs));
  if (outcome.kind === 'error') {
    if (outcome.retryAfterSeconds !== undefined) {
      response.setHeader('retry-after', String(outcome.retryAfterSeconds));
    }
    send(response, outcome.status, dialect.error(outcome.status, undefined, id));
    return;
  }
  send(response, 200, dialect.answer(outcome, model, id));
}

function parseRequest(dialect: Dialect, body: Buffer, path: string): ParsedRequest {
  let json: unknown;
  try {
    json = JSON.parse(body.toString('utf8'));
  } catch {
    return { ok: false, problem: 'the body is not JSON' };
  }
  return dialect.parseRequest(json, path);
}

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > MAX_BODY_BYTES) {
      return undefined;
    }
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

function send(response: ServerResponse, status: number, { headers = {}, body }: DialectResponse): void {
  if (!response.headersSent) {
    for (const [name, value] of Object.entries(headers)) {
      response.setHeader(name, value);
    }
  }
  sendJson(response, status, body);
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed || response.headersSent) {
    return;
  }
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}
