import { PRIORITIES, type Priority } from '../../../lib/contract';

/**
 * Decides which queue of a lane is polled first, round after round, so that each is first in its share of the rounds. Whoever
 * is owed most is next, so the turns of a queue are spread evenly: one with the share s waits less than 2/s rounds for its
 * turn, whatever the others bring (the least urgent, with 15 %, in fact 6). By chance alone it would now and then wait many
 * times as long.
 */
export class PriorityScheduler {
  readonly #shares: Readonly<Record<Priority, number>>;
  /** What each queue is owed, in turns: below 0 for one that had more than its share. */
  readonly #owed: Record<Priority, number>;

  /**
   * @param shares numbers above 0 that sum to 1
   * @param random from 0 up to 1; by it workers that began together do not all have the same turn
   */
  constructor(shares: Readonly<Record<Priority, number>>, random: () => number) {
    this.#shares = shares;
    this.#owed = { high: 0, normal: 0, low: 0 };
    for (let round = Math.floor(random() * ROUNDS_SKIPPED); round > 0; round -= 1) {
      this.next();
    }
  }

  /** Queues in the order in which they are asked in this round: whose turn it is, then the others, most urgent first. */
  next(): readonly Priority[] {
    for (const priority of PRIORITIES) {
      this.#owed[priority] += this.#shares[priority];
    }
    const first = PRIORITIES.reduce((most, each) => (this.#owed[each] > this.#owed[most] ? each : most));
    this.#owed[first] -= 1;
    return [first, ...PRIORITIES.filter((priority) => priority !== first)];
  }
}

/** At most so many rounds of the sequence are left out at the start. */
const ROUNDS_SKIPPED = 20;
