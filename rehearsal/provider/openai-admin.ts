import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';

const ACCOUNTS = /^\/v1\/organization\/projects\/([^/]+)\/service_accounts(?:\/([^/]+))?$/;
const PAGE = 20;

const createSchema = z.strictObject({
  name: z.string().min(1),
  expires_in_seconds: z.number().int().min(1).max(31_536_000).optional(),
});

interface Account {
  readonly id: string;
  readonly name: string;
  readonly key: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly expiresAt: number | undefined;
}

export interface OpenAiAdminOptions {
  readonly adminKey: string;
  readonly project: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Keys that were there before anything was rotated. @default none */
  readonly otherKeys?: readonly string[];
}

/** What may happen to one call: it is not served, or served and not answered. */
export type Disturbance = 'failed' | 'lost' | undefined;

/**
 * Service accounts of one OpenAI project, and which keys are valid.
 *
 * @see https://platform.openai.com/docs/api-reference/project-service-accounts
 */
export class ScriptedOpenAiAdmin {
  readonly #accounts = new Map<string, Account>();
  readonly #others: Set<string>;
  /** Asked before each call. */
  disturb: (call: string) => Disturbance = () => undefined;

  readonly #options: OpenAiAdminOptions;

  constructor(options: OpenAiAdminOptions) {
    this.#options = options;
    this.#others = new Set(options.otherKeys);
  }

  /** Whether the provider takes the key now. */
  readonly accepts = (key: string): boolean => {
    if (this.#others.has(key)) {
      return true;
    }
    const account = [...this.#accounts.values()].find((one) => one.key === key);
    return account !== undefined && (account.expiresAt === undefined || this.#options.now() < account.expiresAt);
  };

  /** Accounts that are there now, oldest first. */
  list(): readonly Pick<Account, 'id' | 'name' | 'createdAt'>[] {
    return [...this.#accounts.values()].map(({ id, name, createdAt }) => ({ id, name, createdAt }));
  }

  /** Revokes a key that was there before anything was rotated, as a person would. */
  revoke(key: string): void {
    this.#others.delete(key);
  }

  /** Answers what belongs to keys: service accounts, and the list of models. @returns false for any other request */
  readonly handle = async (request: IncomingMessage, response: ServerResponse): Promise<boolean> => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const [, project, id] = ACCOUNTS.exec(url.pathname) ?? [];
    const models = url.pathname === '/v1/models' && request.method === 'GET';
    if (project === undefined && !models) {
      return false;
    }
    const body = await bodyOf(request);
    const disturbance = this.disturb(`${request.method} ${models ? 'models' : 'service_accounts'}`);
    if (disturbance === 'failed') {
      request.socket.destroy();
      return true;
    }
    const { status, answer } = models
      ? this.#models(request)
      : this.#serve(request, { project, id, after: url.searchParams, body });
    if (disturbance === 'lost') {
      request.socket.destroy();
      return true;
    }
    const text = JSON.stringify(answer);
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
    response.end(text);
    return true;
  };

  #models(request: IncomingMessage): Served {
    const key = keyOf(request);
    return this.accepts(key)
      ? { status: 200, answer: { object: 'list', data: [], has_more: false } }
      : // The real one repeats parts of the key as well: nobody may log this.
        refused(401, 'invalid_api_key', `Incorrect API key provided: ${key}`);
  }

  #serve(
    request: IncomingMessage,
    {
      project,
      id,
      after,
      body,
    }: { project: string | undefined; id: string | undefined; after: URLSearchParams; body: string },
  ): Served {
    const { adminKey, now, project: ours } = this.#options;
    if (keyOf(request) !== adminKey) {
      return refused(401, 'invalid_api_key', `Incorrect API key provided: ${keyOf(request)}`);
    }
    if (project !== ours) {
      return refused(404, 'not_found', `no project ${project}`);
    }
    if (request.method === 'GET' && id === undefined) {
      return { status: 200, answer: this.#page(after) };
    }
    if (request.method === 'DELETE' && id !== undefined) {
      return this.#accounts.delete(id)
        ? { status: 200, answer: { object: 'organization.project.service_account.deleted', id, deleted: true } }
        : refused(404, 'not_found', `no service account ${id}`);
    }
    const parsed = createSchema.safeParse(JSON.parse(body || '{}'));
    if (request.method !== 'POST' || id !== undefined || !parsed.success) {
      return refused(400, 'invalid_request_error', 'not scripted');
    }
    const { name, expires_in_seconds } = parsed.data;
    const account: Account = {
      id: `svc_acct_${randomBytes(8).toString('hex')}`,
      name,
      key: `sk-svcacct-${randomBytes(24).toString('hex')}`,
      createdAt: now(),
      expiresAt: expires_in_seconds === undefined ? undefined : now() + expires_in_seconds * 1_000,
    };
    this.#accounts.set(account.id, account);
    const api_key = {
      object: 'organization.project.service_account.api_key',
      id: `key_${account.id}`,
      value: account.key,
    };
    return { status: 200, answer: { ...view(account), api_key } };
  }

  #page(query: URLSearchParams) {
    const all = [...this.#accounts.values()];
    const start = all.findIndex(({ id }) => id === query.get('after')) + 1;
    const data = all.slice(start, start + Number(query.get('limit') ?? PAGE));
    return {
      object: 'list',
      data: data.map(view),
      has_more: start + data.length < all.length,
      last_id: data.at(-1)?.id,
    };
  }
}

interface Served {
  readonly status: number;
  readonly answer: unknown;
}

/** Serves the administration alone, for tests. @returns base URL with `/v1`, and what ends it */
export async function serveOpenAiAdmin(
  admin: ScriptedOpenAiAdmin,
): Promise<{ readonly baseUrl: string; stop(): Promise<void> }> {
  const server: Server = createServer((request, response) => {
    admin.handle(request, response).then(
      (known) => {
        if (!known) {
          response.writeHead(404).end();
        }
      },
      () => request.socket.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

function view({ id, name, createdAt }: Account) {
  const created_at = Math.floor(createdAt / 1_000);
  return { object: 'organization.project.service_account', id, name, role: 'member', created_at };
}

function refused(status: number, code: string, message: string): Served {
  return { status, answer: { error: { code, type: 'invalid_request_error', message } } };
}

/** Of OpenAI's clients and of Anthropic's. */
function keyOf({ headers }: IncomingMessage): string {
  const key = headers['x-api-key'];
  return typeof key === 'string' ? key : (/^bearer (.*)$/i.exec(headers.authorization ?? '')?.[1] ?? '');
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  if (request.method === 'POST') {
    for await (const chunk of request) {
      chunks.push(chunk as Buffer);
    }
  }
  return Buffer.concat(chunks).toString('utf8');
}
