import { z } from 'zod';

/**
 * What the scripted provider understands of a request to `POST /v1/messages`. Members that do not change a scripted
 * answer (temperature, metadata, tools) are let through.
 *
 * Source: https://platform.claude.com/docs/en/api/messages
 */
const textBlock = z.looseObject({ type: z.string(), text: z.string().optional() });

export const messagesRequestSchema = z.looseObject({
  model: z.string().min(1),
  max_tokens: z.number().int().positive(),
  messages: z
    .array(z.looseObject({ role: z.enum(['user', 'assistant']), content: z.union([z.string(), z.array(textBlock)]) }))
    .min(1),
  system: z.union([z.string(), z.array(textBlock)]).optional(),
  stream: z.boolean().optional(),
});
export type MessagesRequest = z.infer<typeof messagesRequestSchema>;

/** The texts of a request that rules are matched on. */
export interface RequestTexts {
  readonly model: string;
  readonly system: string;
  readonly messages: string;
}

export function textsOf(request: MessagesRequest): RequestTexts {
  return {
    model: request.model,
    system: textOf(request.system ?? ''),
    messages: request.messages.map((message) => textOf(message.content)).join('\n'),
  };
}

function textOf(content: string | readonly { readonly text?: string | undefined }[]): string {
  return typeof content === 'string' ? content : content.map((block) => block.text ?? '').join('\n');
}

export const CHARACTERS_PER_TOKEN = 4;

/** A quarter of the characters, at least one: close enough for scripted prices. */
export function estimateTokens(text: string): number {
  return Math.max(1, Math.ceil(text.length / CHARACTERS_PER_TOKEN));
}
