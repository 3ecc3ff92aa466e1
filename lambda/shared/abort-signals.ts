import { startRealTimer } from './clock';

/** Real milliseconds that a refusal takes. */
const REFUSAL_MS = 10;

/**
 * Throws the reason of a signal that has aborted, after a while: an agent that catches every error and tries again and
 * again would otherwise keep its worker from everything else, also from writing the task's end.
 */
export async function throwIfAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) {
    await new Promise<void>((resolve) => {
      startRealTimer(REFUSAL_MS, resolve);
    });
    throw signal.reason;
  }
}

/** Result of the work, or the signal's reason as soon as it aborts; the work itself is then left to itself. */
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
