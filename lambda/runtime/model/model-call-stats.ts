/** Which models answered a task, and what happened on the way. */
export interface ModelCallStats {
  /** Id → answers, over all attempts. */
  readonly answered: Readonly<Record<string, number>>;
  /** Of this attempt: answers that came from another model than the primary. */
  readonly fallbacks: number;
  /** Of this attempt: models that were left out from then on, because they had failed once too often. */
  readonly breakersOpened: number;
}

export const NO_MODEL_CALLS: ModelCallStats = { answered: {}, fallbacks: 0, breakersOpened: 0 };

/** Keeps a {@link ModelCallStats} while an attempt runs. */
export class ModelCallCounter {
  #report: ModelCallStats;

  /** @param before answers that earlier attempts were given */
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

/** Answers by model: of each count the larger one. */
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
