import { bearerOf, type Dialect } from './dialect';
import { messagesRequestSchema, problemOf, textOf } from './request';
import type { ErrorStatus } from './rules';

/** Types of errors by status, as in https://platform.claude.com/docs/en/api/errors */
const ERRORS: Readonly<Record<ErrorStatus, { readonly type: string; readonly message: string }>> = {
  400: { type: 'invalid_request_error', message: 'scripted: invalid request' },
  401: { type: 'authentication_error', message: 'scripted: invalid x-api-key' },
  403: { type: 'permission_error', message: 'scripted: the key may not use this model' },
  404: { type: 'not_found_error', message: 'scripted: not found' },
  413: { type: 'request_too_large', message: 'scripted: request too large' },
  429: { type: 'rate_limit_error', message: 'scripted: rate limit reached' },
  500: { type: 'api_error', message: 'scripted: internal error' },
  503: { type: 'api_error', message: 'scripted: service unavailable' },
  529: { type: 'overloaded_error', message: 'scripted: overloaded' },
};

/** Anthropic's Messages API (https://platform.claude.com/docs/en/api/messages), without streaming. */
export const messagesDialect: Dialect = {
  provider: 'anthropic',
  route: 'POST /v1/messages',
  serves: (method, path) => method === 'POST' && path === '/v1/messages',
  // Clients send the key as `x-api-key`, or as bearer token as the current SDK does.
  keyOf: (request) => {
    const key = request.headers['x-api-key'];
    return typeof key === 'string' ? key.trim() : bearerOf(request);
  },
  parseRequest: (body) => {
    const parsed = messagesRequestSchema.safeParse(body);
    if (!parsed.success) {
      return { ok: false, problem: problemOf(parsed.error) };
    }
    const { model, max_tokens: maxTokens, system = '', messages, stream } = parsed.data;
    if (stream === true) {
      return { ok: false, problem: 'stream: the scripted provider answers whole messages; leave stream out' };
    }
    return {
      ok: true,
      request: {
        provider: 'anthropic',
        model,
        maxTokens,
        system: textOf(system),
        messages: messages.map(({ content }) => textOf(content)).join('\n'),
      },
    };
  },
  answer: ({ text, stopReason, inputTokens, outputTokens }, model, id) => ({
    body: {
      id: `msg_${id}`,
      type: 'message',
      role: 'assistant',
      model,
      content: text === '' ? [] : [{ type: 'text', text }],
      stop_reason: stopReason,
      stop_sequence: null,
      usage: {
        input_tokens: inputTokens,
        output_tokens: outputTokens,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: 0,
      },
    },
  }),
  error: (status, message, id) => ({
    body: {
      type: 'error',
      error: { type: ERRORS[status].type, message: message ?? ERRORS[status].message },
      request_id: `req_${id}`,
    },
  }),
};
