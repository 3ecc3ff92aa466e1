/** Which models answered a task, and what happened on the way. */
export interface ModelReport {
  /** Id → answers, over all attempts. */
  readonly answered: Readonly<Record<string, number>>;
  /** Of this attempt: answers that came from another model than the primary. */
  readonly fallbacks: number;
  /** Of this attempt: models that were left out from then on, because they had failed once too often. */
  readonly breakersOpened: number;
}

export const NO_MODELS: ModelReport = { answered: {}, fallbacks: 0, breakersOpened: 0 };

/** Keeps a {@link ModelReport} while an attempt runs. */
export class ModelTally {
  #report: ModelReport;

  /** @param before answers that earlier attempts were given */
  constructor(before: ModelReport['answered'] = {}) {
    this.#report = { ...NO_MODELS, answered: before };
  }

  get report(): ModelReport {
    return this.#report;
  }

  answered(model: string): void {
    const { answered } = this.#report;
    this.#report = { ...this.#report, answered: { ...answered, [model]: (answered[model] ?? 0) + 1 } };
  }

  fellBack(): void {
    this.#report = { ...this.#report, fallbacks: this.#report.fallbacks + 1 };
  }

  breakerOpened(): void {
    this.#report = { ...this.#report, breakersOpened: this.#report.breakersOpened + 1 };
  }
}

/** Answers by model: of each count the larger one. */
export function mostAnswered(a: ModelReport['answered'], b: ModelReport['answered']): Readonly<Record<string, number>> {
  const most = { ...a };
  for (const [model, count] of Object.entries(b)) {
    most[model] = Math.max(most[model] ?? 0, count);
  }
  return most;
}
