import { z } from 'zod';

/**
 * The parts of a request to `POST /v1/messages` that the scripted provider uses. Fields without effect on a scripted answer
 * (temperature, metadata, tools) are accepted.
 *
 * Source: https://platform.claude.com/docs/en/api/messages
 */
export const textBlock = z.looseObject({ type: z.string(), text: z.string().optional() });

export const messagesRequestSchema = z.looseObject({
  model: z.string().min(1),
  max_tokens: z.number().int().positive(),
  messages: z
    .array(z.looseObject({ role: z.enum(['user', 'assistant']), content: z.union([z.string(), z.array(textBlock)]) }))
    .min(1),
  system: z.union([z.string(), z.array(textBlock)]).optional(),
  stream: z.boolean().optional(),
});

/** The parts of a request that rules match, for every API. */
export interface ScriptedRequest {
  readonly provider: 'anthropic' | 'openai' | 'bedrock';
  readonly model: string;
  readonly maxTokens: number;
  readonly system: string;
  readonly messages: string;
}

/** The first validation error. */
export function problemOf({ issues: [issue] }: z.ZodError): string {
  return `${z.core.toDotPath(issue?.path ?? [])}: ${issue?.message ?? 'invalid'}`;
}

export function textOf(content: string | readonly { readonly text?: string | undefined }[]): string {
  return typeof content === 'string' ? content : content.map((block) => block.text ?? '').join('\n');
}

export const CHARACTERS_PER_TOKEN = 4;

/** A quarter of the characters, at least one: close enough for scripted prices. */
export function estimateTokens(text: string): number {
  return Math.max(1, Math.ceil(text.length / CHARACTERS_PER_TOKEN));
}
