import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import { sha256 } from '../../lib/contract';
import { messagesRequestSchema, textsOf } from './request';
import type { ErrorStatus, ProviderRule } from './rules';
import { type Outcome, ProviderScript, type RuleCount } from './script';

export interface ProviderOptions {
  /** Answered in this order; the first that matches wins. */
  readonly rules: readonly ProviderRule[];
  /** The same seed gives the same answers. */
  readonly seed: number;
  /** Told of the text of every request that a rule is looked for. @default nobody is */
  readonly onPrompt?: (text: string) => void;
  /** Says which keys are valid, and answers what manages them. @default every key that is not empty is */
  readonly keys?: ProviderKeys;
}

/** Which keys a provider takes. */
export interface ProviderKeys {
  readonly accepts: (key: string) => boolean;
  /** @returns false for a request that is not about keys */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => Promise<boolean>;
}

/** Largest request that is read, in bytes: the Messages API takes no more than 32 MB. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;

/** Types of errors by status, as in https://platform.claude.com/docs/en/api/errors */
const ERROR_TYPES: Readonly<Record<ErrorStatus, { readonly type: string; readonly message: string }>> = {
  400: { type: 'invalid_request_error', message: 'scripted: invalid request' },
  401: { type: 'authentication_error', message: 'scripted: invalid x-api-key' },
  403: { type: 'permission_error', message: 'scripted: the key may not use this model' },
  404: { type: 'not_found_error', message: 'scripted: not found' },
  413: { type: 'request_too_large', message: 'scripted: request too large' },
  429: { type: 'rate_limit_error', message: 'scripted: rate limit reached' },
  500: { type: 'api_error', message: 'scripted: internal error' },
  529: { type: 'overloaded_error', message: 'scripted: overloaded' },
};

/**
 * A model provider that speaks the Messages API of Anthropic (`POST /v1/messages`, without streaming) and answers by
 * script. It listens on 127.0.0.1 only and takes any key that is not empty.
 */
export class ScriptedProvider {
  private requests = 0;

  private constructor(
    private readonly server: Server,
    private readonly script: ProviderScript,
    private readonly onPrompt: ((text: string) => void) | undefined,
    private readonly keys: ProviderKeys | undefined,
  ) {}

  static async start(options: ProviderOptions): Promise<ScriptedProvider> {
    const server = createServer();
    const script = new ProviderScript(options.rules, options.seed);
    const provider = new ScriptedProvider(server, script, options.onPrompt, options.keys);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      provider.serve(request, response).catch((error: unknown) => {
        sendError(response, 500, 'api_error', error instanceof Error ? error.message : String(error));
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

  /** Base URL for `ANTHROPIC_BASE_URL`, without a slash at the end. */
  get url(): string {
    const { port } = this.server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  counts(): readonly RuleCount[] {
    return this.script.counts();
  }

  /** Requests that no rule answered. */
  unmatched(): number {
    return this.script.unmatched();
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.server.closeAllConnections();
    await closed;
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests += 1;
    const id = sha256(String(this.requests)).slice(0, 24);
    response.setHeader('request-id', `req_${id}`);
    if (await this.keys?.handle(request, response)) {
      return;
    }
    if (request.url?.split('?')[0] !== '/v1/messages' || request.method !== 'POST') {
      sendError(
        response,
        404,
        'not_found_error',
        `${request.method} ${request.url} is not scripted: POST /v1/messages is`,
      );
      return;
    }
    if (keyOf(request) === '') {
      sendError(
        response,
        401,
        'authentication_error',
        'x-api-key header, or authorization with a bearer token, is required',
      );
      return;
    }
    if (this.keys?.accepts(keyOf(request)) === false) {
      sendError(response, 401, 'authentication_error', 'scripted: invalid x-api-key');
      return;
    }
    const body = await readBody(request);
    if (body === undefined) {
      sendError(response, 413, 'request_too_large', `the request is larger than ${MAX_BODY_BYTES} bytes`);
      return;
    }
    const parsed = parseRequest(body);
    if ('problem' in parsed) {
      sendError(response, 400, 'invalid_request_error', parsed.problem);
      return;
    }
    if (parsed.request.stream === true) {
      sendError(
        response,
        400,
        'invalid_request_error',
        'stream: the scripted provider answers whole messages; leave stream out',
      );
      return;
    }
    this.onPrompt?.(textsOf(parsed.request).messages);
    await play(this.script.decide(parsed.request), `msg_${id}`, parsed.request.model, response);
  }
}

/** Clients send the key as `x-api-key` or, as today's SDK does, as bearer token. */
function keyOf(request: IncomingMessage): string {
  const key = request.headers['x-api-key'];
  const bearer = /^bearer (.*)$/i.exec(request.headers.authorization ?? '')?.[1];
  return (typeof key === 'string' ? key : (bearer ?? '')).trim();
}

async function play(outcome: Outcome, id: string, model: string, response: ServerResponse): Promise<void> {
  if (outcome.kind === 'timeout') {
    return; // The caller's timeout, or the end of the run, closes the connection.
  }
  if (outcome.kind === 'unmatched') {
    sendError(
      response,
      400,
      'invalid_request_error',
      `no rule of the scenario matches this request for model ${model}: add one to provider.rules, without "match" for all the rest`,
    );
    return;
  }
  await new Promise((resolve) => setTimeout(resolve, outcome.latencyMs));
  if (outcome.kind === 'error') {
    if (outcome.retryAfterSeconds !== undefined) {
      response.setHeader('retry-after', String(outcome.retryAfterSeconds));
    }
    const { type, message } = ERROR_TYPES[outcome.status];
    sendError(response, outcome.status, type, message);
    return;
  }
  sendJson(response, 200, {
    id,
    type: 'message',
    role: 'assistant',
    model,
    content: outcome.text === '' ? [] : [{ type: 'text', text: outcome.text }],
    stop_reason: outcome.stopReason,
    stop_sequence: null,
    usage: {
      input_tokens: outcome.inputTokens,
      output_tokens: outcome.outputTokens,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
    },
  });
}

function parseRequest(
  body: Buffer,
): { readonly request: z.infer<typeof messagesRequestSchema> } | { readonly problem: string } {
  let json: unknown;
  try {
    json = JSON.parse(body.toString('utf8'));
  } catch {
    return { problem: 'the body is not JSON' };
  }
  const parsed = messagesRequestSchema.safeParse(json);
  if (parsed.success) {
    return { request: parsed.data };
  }
  const issue = parsed.error.issues[0];
  return { problem: `${z.core.toDotPath(issue?.path ?? [])}: ${issue?.message ?? 'invalid'}` };
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

function sendError(response: ServerResponse, status: number, type: string, message: string): void {
  sendJson(response, status, {
    type: 'error',
    error: { type, message },
    request_id: String(response.getHeader('request-id') ?? ''),
  });
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed || response.headersSent) {
    return;
  }
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}
