/** Which models answered a task, with fallbacks and opened circuit breakers. */
export interface ModelCallStats {
  /** Model id → number of answers, over all attempts. */
  readonly answered: Readonly<Record<string, number>>;
  /** Answers of this attempt that came from a fallback. */
  readonly fallbacks: number;
  /** Circuit breakers that opened in this attempt. */
  readonly breakersOpened: number;
}

export const NO_MODEL_CALLS: ModelCallStats = { answered: {}, fallbacks: 0, breakersOpened: 0 };

/** Keeps a {@link ModelCallStats} while an attempt runs. */
export class ModelCallCounter {
  #report: ModelCallStats;

  /** @param before answers to earlier attempts */
  constructor(before: ModelCallStats['answered'] = {}) {
    this.#report = { ...NO_MODEL_CALLS, answered: before };
  }

  get stats(): ModelCallStats {
    return this.#report;
  }

  countAnswer(model: string): void {
    const { answered } = this.#report;
    this.#report = { ...this.#report, answered: { ...answered, [model]: (answered[model] ?? 0) + 1 } };
  }

  countFallback(): void {
    this.#report = { ...this.#report, fallbacks: this.#report.fallbacks + 1 };
  }

  countBreakerOpened(): void {
    this.#report = { ...this.#report, breakersOpened: this.#report.breakersOpened + 1 };
  }
}

/** Number of answers by model: the larger of the two counts for each. */
export function maxAnswers(
  a: ModelCallStats['answered'],
  b: ModelCallStats['answered'],
): Readonly<Record<string, number>> {
  const most = { ...a };
  for (const [model, count] of Object.entries(b)) {
    most[model] = Math.max(most[model] ?? 0, count);
  }
  return most;
}
