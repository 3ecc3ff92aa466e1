import type { BacklogItem } from '../../../lib/contract';
import type { Clock } from '../clock';
import type { BacklogStore } from './backlog-store';

/** Milliseconds (cloud time) that an environment goes by what it read: at least and at most. */
const CACHE_MS = [5_000, 10_000] as const;

/** Milliseconds (cloud time) after which an environment counts again: at least and at most. */
const COUNT_AFTER_MS = [30_000, 60_000] as const;

/** Milliseconds (cloud time) after which a snapshot says nothing any more. */
export const SNAPSHOT_GOOD_FOR_MS = 5 * 60_000;

export interface BacklogViewDeps {
  readonly store: BacklogStore;
  /** Counts what is in the queues. Gets the last snapshot. */
  readonly count: (before: BacklogItem | undefined) => Promise<BacklogItem['queues']>;
  readonly clock: Clock;
  /** Told of what went wrong; the view continues with what it knows. */
  readonly onProblem: (message: string, error: unknown) => void;
  /** 0 to 1, drawn once per environment. @default Math.random */
  readonly random?: () => number;
}

/**
 * How long the queues are, as one environment sees it.
 *
 * Life cycle: the snapshot is read at most every 5 to 10 s. Whichever environment first finds it older than 30 to 60 s
 * (each has limits of its own, so that they do not all count at once) counts and writes what it found, conditional on the
 * snapshot it had read; who comes second takes over what the first wrote. So the queues are counted about once a minute,
 * however many environments there are, and not at all while no caller asks.
 *
 * Any failure leaves the last snapshot in place, until it is five minutes old: then nothing is known.
 */
export class BacklogView {
  readonly #deps: BacklogViewDeps;
  readonly #cacheMs: number;
  readonly #countAfter: number;
  #last: { readonly at: number; readonly item: BacklogItem | undefined } | undefined;
  /** Neither to read nor to count before: set after what failed. */
  #readAt = Number.NEGATIVE_INFINITY;
  #countAt = Number.NEGATIVE_INFINITY;
  #inProgress: Promise<void> | undefined;

  constructor(deps: BacklogViewDeps) {
    this.#deps = deps;
    const draw = ([least, most]: readonly [number, number]) => least + (deps.random ?? Math.random)() * (most - least);
    this.#cacheMs = draw(CACHE_MS);
    this.#countAfter = draw(COUNT_AFTER_MS);
  }

  /** The snapshot; undefined if there is none that says anything. Does not reject. */
  async current(): Promise<BacklogItem | undefined> {
    const now = this.#deps.clock.now();
    const isFresh = this.#last !== undefined && now - this.#last.at <= this.#cacheMs;
    if (!isFresh && now >= this.#readAt) {
      this.#inProgress ??= this.#look().finally(() => {
        this.#inProgress = undefined;
      });
      await this.#inProgress;
    }
    const item = this.#last?.item;
    return item !== undefined && this.#deps.clock.now() - item.takenAt <= SNAPSHOT_GOOD_FOR_MS ? item : undefined;
  }

  async #look(): Promise<void> {
    const { clock, onProblem, store } = this.#deps;
    const at = clock.now();
    try {
      this.#last = { at, item: await store.read() };
    } catch (error) {
      onProblem('the snapshot of the queues could not be read: going by the last one', error);
      this.#readAt = clock.now() + this.#cacheMs;
      return;
    }
    const { item } = this.#last;
    if (at >= this.#countAt && (item === undefined || at - item.takenAt > this.#countAfter)) {
      await this.#recount(item);
    }
  }

  async #recount(before: BacklogItem | undefined): Promise<void> {
    const { clock, count, onProblem, store } = this.#deps;
    try {
      const takenAt = clock.now();
      const item = { takenAt, sequence: (before?.sequence ?? -1) + 1, queues: await count(before) };
      const isMine = await store.write(item, before?.sequence);
      this.#last = { at: clock.now(), item: isMine ? item : await store.read() };
    } catch (error) {
      onProblem('the queues could not be counted: going by the last snapshot', error);
      this.#countAt = clock.now() + this.#countAfter;
    }
  }
}
