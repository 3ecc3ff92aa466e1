/** Interval between two checks of a condition, in real milliseconds. */
export const POLL_MS = 100;

/** Waits in real time. Rejects with the signal's reason when it aborts. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await abortable(new Promise((done) => setTimeout(done, milliseconds)), signal);
}

/** Waits until the condition is true, or until the timeout in real milliseconds. */
export async function until(condition: () => boolean, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition() && performance.now() < deadline) {
    await pause(POLL_MS, signal);
  }
}

/** Result of the promise. Rejects with the signal's reason if it aborts first; the promise then continues unobserved. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    if (onAbort !== undefined) {
      signal.removeEventListener('abort', onAbort);
    }
  }
}
