import { startRealTimer } from '../clock';

/** The part of Lambda's context that the functions use. */
export interface InvocationContext {
  getRemainingTimeInMillis(): number;
}

/** Work was aborted because the function's timeout was near. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

/**
 * Runs work that must end before the invocation's timeout: `reserve` milliseconds before it the work is aborted and the promise
 * rejects, which leaves time to report.
 *
 * @param reserve real milliseconds reserved for the report
 * @throws DeadlineError when the work was aborted
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
