/**
 * Creates a value at the first call and returns the same one afterwards, for what a function keeps per execution environment
 * (settings, clients). Failures are not cached: the next invocation fails with the same message.
 */
export function lazy<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** As {@link lazy}, for asynchronous creation: concurrent callers share one attempt. Failures are not cached. */
export function lazyAsync<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    if (made === undefined) {
      const attempt = make();
      made = attempt;
      attempt.catch(() => {
        made = undefined;
      });
    }
    return made;
  };
}
