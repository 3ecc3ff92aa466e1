import type { BacklogItem, BacklogLimitSeconds, LaneName, Priority } from '../../../lib/contract';
import { type Overload, overloadOf } from './overload';

export interface BackpressureDeps {
  readonly backlog: { current(): Promise<BacklogItem | undefined> };
  readonly limits: BacklogLimitSeconds;
}

/** Refuses tasks of a queue whose oldest message is older than its limit. */
export class Backpressure {
  readonly #deps: BackpressureDeps;

  constructor(deps: BackpressureDeps) {
    this.#deps = deps;
  }

  /** Undefined when the task may be accepted, and when the backlog is unknown. */
  async overload(lane: LaneName, priority: Priority): Promise<Overload | undefined> {
    const { backlog, limits } = this.#deps;
    const snapshot = await backlog.current();
    return snapshot === undefined ? undefined : overloadOf(snapshot, lane, priority, limits);
  }
}
