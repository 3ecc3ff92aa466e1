import { type Random, seededRandom } from '../core/random';

/**
 * Random draws by place: the n-th draw at a place is the same for the same seed, whatever is drawn at other places.
 * Which call gets the n-th draw depends on timing, so two runs with one seed have the same plan and not the same course.
 */
export class SeededDraws {
  readonly #seed: number;
  readonly #streams = new Map<string, Random>();

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** 0 inclusive to 1 exclusive. */
  draw(place: string): number {
    let stream = this.#streams.get(place);
    if (stream === undefined) {
      stream = seededRandom(`chaos/${this.#seed}/${place}`);
      this.#streams.set(place, stream);
    }
    return stream();
  }

  /** `from` inclusive to `to` exclusive. */
  between(place: string, from: number, to: number): number {
    return from + this.draw(place) * (to - from);
  }
}
