import type { BacklogItem, BacklogLimitSeconds, LaneName, Priority } from '../../../lib/contract';
import { type Overload, overloadOf } from './overload';

export interface BackpressureProps {
  readonly backlog: { current(): Promise<BacklogItem | undefined> };
  readonly limits: BacklogLimitSeconds;
}

/** Refuses tasks of a queue whose oldest message is older than its limit. */
export class Backpressure {
  constructor(private readonly props: BackpressureProps) {}

  /** Undefined when the task may come in, and when nothing is known: what is not known refuses nobody. */
  async overload(lane: LaneName, priority: Priority): Promise<Overload | undefined> {
    const { backlog, limits } = this.props;
    const snapshot = await backlog.current();
    return snapshot === undefined ? undefined : overloadOf(snapshot, lane, priority, limits);
  }
}
