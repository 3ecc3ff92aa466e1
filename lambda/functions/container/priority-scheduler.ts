import { PRIORITIES, type Priority } from '../../../lib/contract';

/**
 * Decides which queue of a lane is polled first, round after round, so that each is first in its share of the rounds. The
 * queue that is owed most is next, so the turns of a queue are spread evenly: one with the share s waits less than 2/s rounds for its
 * turn, whatever the others bring (the least urgent, with 15 %, in fact 6). By chance alone it would now and then wait many
 * times as long.
 */
export class PriorityScheduler {
  readonly #shares: Readonly<Record<Priority, number>>;
  /** Credit of each queue in turns; negative if it had more than its share. */
  readonly #credit: Record<Priority, number>;

  /**
   * @param shares numbers above 0 that sum to 1
   * @param random from 0 up to 1; gives workers that started together different first turns
   */
  constructor(shares: Readonly<Record<Priority, number>>, random: () => number) {
    this.#shares = shares;
    this.#credit = { high: 0, normal: 0, low: 0 };
    for (let round = Math.floor(random() * MAX_SKIPPED_ROUNDS); round > 0; round -= 1) {
      this.next();
    }
  }

  /** The queues in the polling order of this round: the one with the most credit, then the others by urgency. */
  next(): readonly Priority[] {
    for (const priority of PRIORITIES) {
      this.#credit[priority] += this.#shares[priority];
    }
    const first = PRIORITIES.reduce((most, each) => (this.#credit[each] > this.#credit[most] ? each : most));
    this.#credit[first] -= 1;
    return [first, ...PRIORITIES.filter((priority) => priority !== first)];
  }
}

/** Maximum number of rounds that are skipped at the start. */
const MAX_SKIPPED_ROUNDS = 20;
