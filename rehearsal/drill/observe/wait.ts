/** Real milliseconds between two looks at something that is waited for. */
export const POLL_MS = 100;

/** Waits so many real milliseconds. Rejects with the signal's reason when it aborts. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await abortable(new Promise((done) => setTimeout(done, milliseconds)), signal);
}

/** Waits until the condition holds, or for so many real milliseconds. */
export async function until(condition: () => boolean, limitMs: number, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!condition() && performance.now() < deadline) {
    await pause(POLL_MS, signal);
  }
}

/** The promise's result, unless the signal aborts first: then its reason, and the promise is left to itself. */
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
