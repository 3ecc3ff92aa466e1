/** Failures that a drill injects: the next matching resource operation that is not part of a rollback fails, once. */
export class InjectedFailures {
  readonly #planned = new Set<{
    readonly pattern: RegExp;
    readonly reason: string;
    readonly when: 'create' | 'update';
  }>();

  /**
   * @param pattern logical id or path; `*` matches any text
   * @returns cancels the failure
   */
  add(pattern: string, reason: string, when: 'create' | 'update'): () => void {
    const text = pattern
      .split('*')
      .map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
      .join('.*');
    const fault = { pattern: new RegExp(`^${text}$`), reason, when };
    this.#planned.add(fault);
    return () => this.#planned.delete(fault);
  }

  /** Why this operation must fail; undefined if no failure matches. A match is used up. */
  consume(logicalId: string, path: string, when: 'create' | 'update'): string | undefined {
    for (const fault of this.#planned) {
      if (fault.when === when && (fault.pattern.test(logicalId) || fault.pattern.test(path))) {
        this.#planned.delete(fault);
        return fault.reason;
      }
    }
    return undefined;
  }
}
