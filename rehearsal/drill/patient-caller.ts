import type { ApiAnswer, ApiClient } from './api-client';

/** How a caller repeats a request that got no answer, or one that says to come again. */
export interface Patience {
  /** Times that a request is sent at most. */
  readonly tries: number;
  /** Bounds of the waits, in real milliseconds: each is twice as long as the one before. */
  readonly first: number;
  readonly longest: number;
}

/** Of callers in a drill where things go wrong. */
export const PATIENT: Patience = { tries: 12, first: 50, longest: 2_000 };

/** Nothing was answered, or: not now. Every such request may be repeated, for it names its task or carries its key. */
function asksToRepeat(status: number): boolean {
  return status === 0 || status === 429 || status >= 500;
}

/** Sends a request until it is answered for good. */
export async function sendPatiently(
  client: ApiClient,
  patience: Patience | undefined,
  ...request: Parameters<ApiClient['send']>
): Promise<ApiAnswer & { readonly tries: number }> {
  let wait = patience?.first ?? 0;
  for (let tries = 1; ; tries += 1) {
    const answer = await client.send(...request);
    if (patience === undefined || tries >= patience.tries || !asksToRepeat(answer.status)) {
      return { ...answer, tries };
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(wait * 2, patience.longest);
  }
}
