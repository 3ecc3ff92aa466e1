import * as z from 'zod';
import { describeFailure, type JsonRequest, requestJson } from './http-json';
import { RotationError } from './key-source';

const PAGE = 100;

const accountSchema = z.object({ id: z.string().min(1), name: z.string(), created_at: z.number() });
const pageSchema = z.object({ data: z.array(accountSchema), has_more: z.boolean(), last_id: z.string().nullish() });
const createdSchema = z.object({ id: z.string().min(1), api_key: z.object({ value: z.string().min(1) }) });

export interface ServiceAccount {
  readonly id: string;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

/**
 * Service accounts of one project, by OpenAI's administration API
 * (https://platform.openai.com/docs/api-reference/project-service-accounts).
 */
export class OpenAiAdmin {
  readonly #adminKey: () => Promise<string>;
  readonly #project: string;
  readonly #baseUrl: string;

  /** @param adminKey reads the admin key; called before every request, so that it can be rotated too */
  constructor(
    adminKey: () => Promise<string>,
    project: string,
    baseUrl: string = process.env.OPENAI_BASE_URL ?? 'https://api.openai.com/v1',
  ) {
    this.#adminKey = adminKey;
    this.#project = project;
    this.#baseUrl = baseUrl;
  }

  async list(): Promise<readonly ServiceAccount[]> {
    const accounts: ServiceAccount[] = [];
    for (let after: string | undefined; ; ) {
      const query = `?limit=${PAGE}${after === undefined ? '' : `&after=${encodeURIComponent(after)}`}`;
      const page = await this.#call(pageSchema, 'GET', query);
      for (const { id, name, created_at } of page.data) {
        accounts.push({ id, name, createdAt: created_at * 1_000 });
      }
      const last = page.last_id ?? page.data.at(-1)?.id;
      if (!page.has_more || last === undefined) {
        return accounts;
      }
      after = last;
    }
  }

  /** Creates an account with its own key, which OpenAI returns only once. */
  async create(name: string, keyExpirySeconds?: number): Promise<{ readonly id: string; readonly key: string }> {
    const body = { name, expires_in_seconds: keyExpirySeconds };
    const { id, api_key } = await this.#call(createdSchema, 'POST', '', body);
    return { id, key: api_key.value };
  }

  /** Deletes the account and its keys. A missing account is not an error. */
  async delete(id: string): Promise<void> {
    await this.#call(z.unknown(), 'DELETE', `/${encodeURIComponent(id)}`, undefined, [404]);
  }

  async #call<T>(
    schema: z.ZodType<T>,
    method: JsonRequest['method'],
    rest: string,
    body?: unknown,
    acceptedStatuses: readonly number[] = [],
  ): Promise<T> {
    const key = await this.#adminKey();
    const request: JsonRequest = {
      method,
      url: `${this.#baseUrl}/organization/projects/${encodeURIComponent(this.#project)}/service_accounts${rest}`,
      headers: { authorization: `Bearer ${key}` },
      body,
    };
    const answer = await requestJson(request);
    if ((answer.status < 200 || answer.status > 299) && !acceptedStatuses.includes(answer.status)) {
      const advice =
        answer.status === 401 || answer.status === 403
          ? '; put an admin key that may manage service accounts into the admin secret'
          : '';
      throw new RotationError(`${describeFailure(request, answer)}${advice}`);
    }
    const parsed = schema.safeParse(answer.body);
    if (!parsed.success) {
      // The response itself is not repeated: it may contain a key.
      const place = parsed.error.issues.map(({ path }) => path.join('.') || 'body').join(', ');
      throw new RotationError(`${describeFailure(request, answer)} with unexpected content in: ${place}`);
    }
    return parsed.data;
  }
}
