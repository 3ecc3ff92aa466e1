import { errorResponseSchema } from '../../../lib/contract';
import type { ApiAnswer, ApiClient } from './api-client';

/** How a caller repeats a request that got no answer, or one that says to come again. */
export interface Patience {
  /** Times that a request is sent at most. */
  readonly tries: number;
  /** Bounds of the waits, in real milliseconds: each is twice as long as the one before. */
  readonly first: number;
  readonly longest: number;
  /** Whether an answer (status 0: none) asks to come again. */
  readonly repeats: (answer: ApiAnswer) => boolean;
}

/** Of every caller: who is told that too much waits comes again later, and who is told that it is enough for today does not. */
export const RETRY_WHEN_THROTTLED: Patience = { tries: 20, first: 250, longest: 4_000, repeats: asksToComeAgain };

/**
 * Of callers in a drill where things go wrong, who repeat as well what was not answered: every request names its task or
 * carries its key.
 */
export const RETRY_UNTIL_ANSWERED: Patience = {
  tries: 12,
  first: 50,
  longest: 2_000,
  repeats: (answer) => answer.status === 0 || answer.status >= 500 || asksToComeAgain(answer),
};

function asksToComeAgain({ status, body }: ApiAnswer): boolean {
  return status === 429 && errorResponseSchema.safeParse(body).data?.error.code !== 'budget_exceeded';
}

/** Sends a request until it is answered for good. */
export async function sendWithRetries(
  client: ApiClient,
  scaledTimeout: Patience,
  ...request: Parameters<ApiClient['send']>
): Promise<ApiAnswer & { readonly tries: number }> {
  let wait = scaledTimeout.first;
  for (let tries = 1; ; tries += 1) {
    const answer = await client.send(...request);
    if (tries >= scaledTimeout.tries || !scaledTimeout.repeats(answer)) {
      return { ...answer, tries };
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(wait * 2, scaledTimeout.longest);
  }
}
