import { startRealTimer } from './clock';

/** Delay of a rejection in real milliseconds. */
const REJECTION_DELAY_MS = 10;

/**
 * Throws the reason of an aborted signal after a short delay: an agent that catches every error and retries in a loop would
 * otherwise block its worker, which must still write the task's final state.
 */
export async function throwIfAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) {
    await new Promise<void>((resolve) => {
      startRealTimer(REJECTION_DELAY_MS, resolve);
    });
    throw signal.reason;
  }
}

/** Resolves with the result of the work, or rejects with the signal's reason as soon as it aborts. The work is not stopped. */
export async function raceAbort<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
