import { ENVELOPE_VERSION, type Envelope, envelopeSchema } from '../../../lib/contract';

export type ParsedMessage =
  | { readonly ok: true; readonly envelope: Envelope }
  | { readonly ok: false; readonly reason: string };

/** Parses the body of a message in a lane's queue. `reason` says why this worker cannot process it. */
export function parseMessage(body: string, agent: string): ParsedMessage {
  let content: unknown;
  try {
    content = JSON.parse(body);
  } catch {
    return { ok: false, reason: 'its body is not JSON' };
  }
  const version = typeof content === 'object' && content !== null && 'version' in content ? content.version : undefined;
  if (version !== ENVELOPE_VERSION) {
    return {
      ok: false,
      reason: `its envelope has version ${JSON.stringify(version) ?? 'none'}, this worker reads version ${ENVELOPE_VERSION}`,
    };
  }
  const parsed = envelopeSchema.safeParse(content);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'envelope'}: ${message}`);
    return { ok: false, reason: `its envelope is wrong: ${problems.join('; ')}` };
  }
  if (parsed.data.agent !== agent) {
    return { ok: false, reason: `it is for agent "${parsed.data.agent}", this worker runs "${agent}"` };
  }
  return { ok: true, envelope: parsed.data };
}

/** Whether the message is for a probe. A message that cannot be parsed is not. */
export function isProbe(body: string): boolean {
  try {
    const envelope = envelopeSchema.safeParse(JSON.parse(body));
    return envelope.success && envelope.data.mode === 'probe';
  } catch {
    return false;
  }
}
