import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
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
  /** Valid keys that belong to no service account. @default - none */
  readonly otherKeys?: readonly string[];
}

/** A fault of one call: `failed` before its execution, `lost` after it, without a response. */
export type AdminCallFault = 'failed' | 'lost' | undefined;

/**
 * Service accounts of one OpenAI project, and which keys are valid.
 *
 * @see https://platform.openai.com/docs/api-reference/project-service-accounts
 */
export class ScriptedOpenAiAdmin {
  readonly #accounts = new Map<string, Account>();
  readonly #others: Set<string>;
  /** Called before each request, to inject a fault. */
  faultFor: (call: string) => AdminCallFault = () => undefined;

  readonly #options: OpenAiAdminOptions;

  constructor(options: OpenAiAdminOptions) {
    this.#options = options;
    this.#others = new Set(options.otherKeys);
  }

  /** Whether the key is valid now. */
  readonly accepts = (key: string): boolean => {
    if (this.#others.has(key)) {
      return true;
    }
    const account = [...this.#accounts.values()].find((one) => one.key === key);
    return account !== undefined && (account.expiresAt === undefined || this.#options.now() < account.expiresAt);
  };

  /** Current accounts, oldest first. */
  list(): readonly Pick<Account, 'id' | 'name' | 'createdAt'>[] {
    return [...this.#accounts.values()].map(({ id, name, createdAt }) => ({ id, name, createdAt }));
  }

  /** Revokes a key that belongs to no service account. */
  revoke(key: string): void {
    this.#others.delete(key);
  }

  /** Serves the requests of the key management: service accounts, and the list of models. @returns false for any other request */
  readonly handle = async (request: IncomingMessage, response: ServerResponse): Promise<boolean> => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const [, project, id] = ACCOUNTS.exec(url.pathname) ?? [];
    const models = url.pathname === '/v1/models' && request.method === 'GET';
    if (project === undefined && !models) {
      return false;
    }
    const body = await bodyOf(request);
    const fault = this.faultFor(`${request.method} ${models ? 'models' : 'service_accounts'}`);
    if (fault === 'failed') {
      request.socket.destroy();
      return true;
    }
    const { status, answer } = models
      ? this.#models(request)
      : this.#serve(request, { project, id, after: url.searchParams, body });
    if (fault === 'lost') {
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
      : // The real provider repeats parts of the key too, so clients must not log this message.
        rejection(401, 'invalid_api_key', `Incorrect API key provided: ${key}`);
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
      return rejection(401, 'invalid_api_key', `Incorrect API key provided: ${keyOf(request)}`);
    }
    if (project !== ours) {
      return rejection(404, 'not_found', `no project ${project}`);
    }
    if (request.method === 'GET' && id === undefined) {
      return { status: 200, answer: this.#page(after) };
    }
    if (request.method === 'DELETE' && id !== undefined) {
      return this.#accounts.delete(id)
        ? { status: 200, answer: { object: 'organization.project.service_account.deleted', id, deleted: true } }
        : rejection(404, 'not_found', `no service account ${id}`);
    }
    const parsed = createSchema.safeParse(JSON.parse(body || '{}'));
    if (request.method !== 'POST' || id !== undefined || !parsed.success) {
      return rejection(400, 'invalid_request_error', 'not supported');
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

function view({ id, name, createdAt }: Account) {
  const created_at = Math.floor(createdAt / 1_000);
  return { object: 'organization.project.service_account', id, name, role: 'member', created_at };
}

function rejection(status: number, code: string, message: string): Served {
  return { status, answer: { error: { code, type: 'invalid_request_error', message } } };
}

/** Key of a request by a client of OpenAI or Anthropic. */
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
