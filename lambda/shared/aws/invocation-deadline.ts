import { startRealTimer } from '../clock';

/** What Lambda hands to a handler beside the event, as far as the functions use it. */
export interface InvocationContext {
  getRemainingTimeInMillis(): number;
}

/** Work was cut off because the function's own timeout was near. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

/**
 * Runs work that must not outlast the invocation: so many real milliseconds before Lambda would end it without a word,
 * the work is aborted and this rejects, which leaves time to report.
 *
 * @param reserve real milliseconds kept for reporting
 * @throws DeadlineError when the time is up
 */
export async function withInvocationDeadline<T>(
  context: InvocationContext,
  reserve: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const limit = Math.max(0, context.getRemainingTimeInMillis() - reserve);
  let cancel = () => {};
  const deadline = new Promise<never>((_, reject) => {
    cancel = startRealTimer(limit, () => {
      const error = new DeadlineError(
        `not done after ${Math.round(limit / 1000)} s, shortly before the function's timeout`,
      );
      reject(error);
      controller.abort(error);
    });
  });
  try {
    return await Promise.race([work(controller.signal), deadline]);
  } finally {
    cancel();
  }
}
