import { type WebhookMessage, webhookMessageSchema } from '../../../lib/contract';

export type ParsedWebhookMessage =
  | { readonly ok: true; readonly message: WebhookMessage }
  | { readonly ok: false; readonly reason: string };

/** Reads the body of a message in the webhook queue. */
export function parseWebhookMessage(body: string, agent: string): ParsedWebhookMessage {
  let content: unknown;
  try {
    content = JSON.parse(body);
  } catch {
    return { ok: false, reason: 'its body is not JSON' };
  }
  const parsed = webhookMessageSchema.safeParse(content);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'message'}: ${message}`);
    return { ok: false, reason: `its body is wrong: ${problems.join('; ')}` };
  }
  if (parsed.data.agent !== agent) {
    return { ok: false, reason: `it is for agent "${parsed.data.agent}", this function serves "${agent}"` };
  }
  return { ok: true, message: parsed.data };
}
