/** Failures that a drill orders: the next matching operation on the way forward fails, once. */
export class InjectedFailures {
  readonly #planned = new Set<{
    readonly pattern: RegExp;
    readonly reason: string;
    readonly when: 'create' | 'update';
  }>();

  /**
   * @param pattern logical id or path; `*` stands for any text
   * @returns takes the order back
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

  /** Reason for which this operation must fail, if any. */
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
