import { z } from 'zod';
import { bearerOf, type Dialect } from './dialect';
import { problemOf, textBlock, textOf } from './request';
import type { ErrorStatus } from './rules';

const chatRequestSchema = z.looseObject({
  model: z.string().min(1),
  messages: z.array(z.looseObject({ role: z.string(), content: z.union([z.string(), z.array(textBlock)]) })).min(1),
  max_tokens: z.number().int().positive().optional(),
  max_completion_tokens: z.number().int().positive().optional(),
  stream: z.boolean().optional(),
});

/** Roles whose messages are instructions. */
const INSTRUCTING: ReadonlySet<string> = new Set(['system', 'developer']);

/** https://developers.openai.com/api/docs/guides/error-codes */
const ERRORS: Readonly<Record<ErrorStatus, { readonly type: string; readonly code: string | null }>> = {
  400: { type: 'invalid_request_error', code: null },
  401: { type: 'invalid_request_error', code: 'invalid_api_key' },
  403: { type: 'invalid_request_error', code: 'unsupported_country_region_territory' },
  404: { type: 'invalid_request_error', code: 'model_not_found' },
  413: { type: 'invalid_request_error', code: 'request_too_large' },
  429: { type: 'requests', code: 'rate_limit_exceeded' },
  500: { type: 'server_error', code: null },
  503: { type: 'server_error', code: null },
  529: { type: 'server_error', code: 'overloaded' },
};

const FINISH_REASONS = { end_turn: 'stop', max_tokens: 'length', refusal: 'content_filter' } as const;

/** OpenAI's Chat Completions (https://platform.openai.com/docs/api-reference/chat/create), without streaming. */
export const chatDialect: Dialect = {
  provider: 'openai',
  route: 'POST /v1/chat/completions',
  serves: (method, path) => method === 'POST' && path === '/v1/chat/completions',
  keyOf: bearerOf,
  parseRequest: (body) => {
    const parsed = chatRequestSchema.safeParse(body);
    if (!parsed.success) {
      return { ok: false, problem: problemOf(parsed.error) };
    }
    const { model, messages, max_tokens: older, max_completion_tokens: newer, stream } = parsed.data;
    if (stream === true) {
      return { ok: false, problem: 'stream: the scripted provider answers whole messages; leave stream out' };
    }
    const said = (instructing: boolean) =>
      messages
        .filter(({ role }) => INSTRUCTING.has(role) === instructing)
        .map(({ content }) => textOf(content))
        .join('\n');
    return {
      ok: true,
      request: {
        provider: 'openai',
        model,
        maxTokens: newer ?? older ?? Number.MAX_SAFE_INTEGER,
        system: said(true),
        messages: said(false),
      },
    };
  },
  answer: ({ text, stopReason, inputTokens, outputTokens }, model, id) => ({
    body: {
      id: `chatcmpl-${id}`,
      object: 'chat.completion',
      created: 0,
      model,
      choices: [
        {
          index: 0,
          message: {
            role: 'assistant',
            content: stopReason === 'refusal' ? null : text,
            refusal: stopReason === 'refusal' ? 'scripted: refused' : null,
          },
          finish_reason: FINISH_REASONS[stopReason],
        },
      ],
      usage: {
        prompt_tokens: inputTokens,
        completion_tokens: outputTokens,
        total_tokens: inputTokens + outputTokens,
      },
    },
  }),
  error: (status, message) => ({
    body: { error: { message: message ?? `scripted: status ${status}`, param: null, ...ERRORS[status] } },
  }),
};
