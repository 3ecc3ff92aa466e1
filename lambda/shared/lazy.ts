/**
 * Makes a value at the first call and gives the same one ever after: what a function keeps per environment (settings
 * read, clients made). A failure is not kept: the next invocation tries again and fails with the same clear message.
 */
export function lazy<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** As {@link lazy}, for what takes time: callers at the same time share one attempt, and a failed one is not kept. */
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
