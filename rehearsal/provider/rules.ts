import { z } from 'zod';

const rate = z.number().min(0).max(1);
const milliseconds = z.number().min(0).max(600_000);

/** Substring, or a regular expression. */
const textMatchSchema = z
  .union([
    z.string().min(1),
    z.strictObject({ regex: z.string().min(1).refine(compiles, 'is not a regular expression') }),
  ])
  .describe('a substring, or { "regex": "…" }, whose groups can be used in the answer as {{1}}, {{2}}, …');

/** Real milliseconds: handlers and their model calls run in real time, whatever the speed of the cloud's clock. */
export const latencySchema = z
  .union([
    milliseconds,
    z.strictObject({ min: milliseconds, max: milliseconds }).refine((range) => range.min <= range.max, {
      message: 'min is greater than max',
    }),
    z.strictObject({ median: milliseconds, p99: milliseconds }).refine((shape) => shape.median <= shape.p99, {
      message: 'median is greater than p99',
    }),
  ])
  .describe(
    'real milliseconds until the answer: a number, { "min", "max" } (uniform) or { "median", "p99" } (log-normal)',
  );
export type Latency = z.infer<typeof latencySchema>;

const tokensSchema = z.union([
  z.number().int().min(0),
  z
    .strictObject({ min: z.number().int().min(0), max: z.number().int().min(0) })
    .refine((range) => range.min <= range.max, {
      message: 'min is greater than max',
    }),
]);
export type Tokens = z.infer<typeof tokensSchema>;

/** HTTP statuses of errors that the provider can answer with. */
export const ERROR_STATUSES = [400, 401, 403, 404, 413, 429, 500, 503, 529] as const;
export type ErrorStatus = (typeof ERROR_STATUSES)[number];

/** One rule of the scripted provider. The first rule that matches a request answers it. */
export const providerRuleSchema = z
  .strictObject({
    name: z.string().min(1).describe('name of the rule, under which the report counts its answers'),
    match: z
      .strictObject({
        provider: z
          .enum(['anthropic', 'openai', 'bedrock'])
          .optional()
          .describe("API of the request; openai for every endpoint with OpenAI's API"),
        model: textMatchSchema.optional().describe('matched against the model id of the request'),
        system: textMatchSchema.optional().describe('matched against the system prompt'),
        messages: textMatchSchema.optional().describe('matched against the text of all messages'),
        text: textMatchSchema.optional().describe('matched against system prompt and messages together'),
      })
      .optional()
      .describe('all of these must match; without it the rule answers everything'),
    answer: z
      .strictObject({
        text: z
          .string()
          .optional()
          .describe(
            'text of the answer; {{model}}, {{count}} (how often the rule has answered) and {{1}}… are replaced',
          ),
        inputTokens: tokensSchema
          .optional()
          .describe('tokens billed for the request; default: a quarter of its characters'),
        outputTokens: tokensSchema
          .optional()
          .describe('tokens billed for the answer; default: a quarter of its characters'),
        latencyMs: latencySchema.optional(),
      })
      .optional()
      .describe('the successful answer; default: "ok" after 20 ms'),
    errors: z
      .array(
        z.strictObject({
          status: z.literal(ERROR_STATUSES).describe('HTTP status of the error'),
          rate: rate.describe('share of the requests, 0 to 1'),
          during: z
            .strictObject({ from: z.number().int().min(1), to: z.number().int().min(2) })
            .refine(({ from, to }) => from < to, { message: 'from is not less than to' })
            .optional()
            .describe(
              'only for requests with these numbers, counted from 1 over all rules, "to" excluded: an outage of the provider; default: always',
            ),
          retryAfterSeconds: z.number().min(0).optional().describe('sent as retry-after header (with 429: default 1)'),
        }),
      )
      .optional()
      .describe('error responses'),
    timeoutRate: rate.optional().describe('share of the requests, 0 to 1, that are never answered'),
    refusalRate: rate
      .optional()
      .describe('share of the requests, 0 to 1, that are answered with stop reason "refusal"'),
    malformed: z
      .strictObject({
        rate,
        text: z
          .string()
          .optional()
          .describe('text of such an answer; default: the first half of the successful answer'),
      })
      .optional()
      .describe('answers whose text does not have the requested format'),
  })
  .refine((rule) => shareOfFaults(rule) <= 1 + 1e-9, {
    message: 'the rates of errors, timeouts, refusals and malformed answers add up to more than 1',
  });
export type ProviderRule = z.infer<typeof providerRuleSchema>;
export type TextMatch = z.infer<typeof textMatchSchema>;

function shareOfFaults(rule: {
  errors?: { rate: number }[] | undefined;
  timeoutRate?: number | undefined;
  refusalRate?: number | undefined;
  malformed?: { rate: number } | undefined;
}): number {
  const errors = (rule.errors ?? []).reduce((sum, error) => sum + error.rate, 0);
  return errors + (rule.timeoutRate ?? 0) + (rule.refusalRate ?? 0) + (rule.malformed?.rate ?? 0);
}

function compiles(pattern: string): boolean {
  try {
    new RegExp(pattern);
    return true;
  } catch {
    return false;
  }
}
