import { z } from 'zod';
import type { Dialect } from './dialect';
import { problemOf } from './request';
import type { ErrorStatus } from './rules';

const block = z.looseObject({ text: z.string().optional() });

const converseRequestSchema = z.looseObject({
  messages: z.array(z.looseObject({ role: z.enum(['user', 'assistant']), content: z.array(block) })).min(1),
  system: z.array(block).optional(),
  inferenceConfig: z.looseObject({ maxTokens: z.number().int().positive().optional() }).optional(),
});

const PATH = /^\/model\/([^/]+)\/converse$/;

/** https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors */
const ERRORS: Readonly<Record<ErrorStatus, string>> = {
  400: 'ValidationException',
  401: 'UnrecognizedClientException',
  403: 'AccessDeniedException',
  404: 'ResourceNotFoundException',
  413: 'ValidationException',
  429: 'ThrottlingException',
  500: 'InternalServerException',
  503: 'ServiceUnavailableException',
  529: 'ServiceUnavailableException',
};

const STOP_REASONS = { end_turn: 'end_turn', max_tokens: 'max_tokens', refusal: 'content_filtered' } as const;

const join = (blocks: readonly { readonly text?: string | undefined }[]) =>
  blocks.map(({ text = '' }) => text).join('\n');

/** Converse of Amazon Bedrock. Requests must be signed; the signature and the caller's permissions are not checked. */
export const converseDialect: Dialect = {
  provider: 'bedrock',
  route: 'POST /model/{modelId}/converse',
  serves: (method, path) => method === 'POST' && PATH.test(path),
  keyOf: (request) => (/^AWS4-HMAC-SHA256 /.test(request.headers.authorization ?? '') ? undefined : ''),
  parseRequest: (body, path) => {
    const parsed = converseRequestSchema.safeParse(body);
    if (!parsed.success) {
      return { ok: false, problem: problemOf(parsed.error) };
    }
    const { messages, system = [], inferenceConfig } = parsed.data;
    return {
      ok: true,
      request: {
        provider: 'bedrock',
        model: decodeURIComponent(PATH.exec(path)?.[1] ?? ''),
        maxTokens: inferenceConfig?.maxTokens ?? Number.MAX_SAFE_INTEGER,
        system: join(system),
        messages: messages.map(({ content }) => join(content)).join('\n'),
      },
    };
  },
  answer: ({ text, stopReason, inputTokens, outputTokens, latencyMs }) => ({
    body: {
      output: { message: { role: 'assistant', content: text === '' ? [] : [{ text }] } },
      stopReason: STOP_REASONS[stopReason],
      usage: { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens },
      metrics: { latencyMs: Math.round(latencyMs) },
    },
  }),
  error: (status, message) => ({
    headers: { 'x-amzn-errortype': ERRORS[status] },
    body: { message: message ?? `scripted: status ${status}` },
  }),
};
