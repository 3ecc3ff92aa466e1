import type { RoutingRepository, RoutingState } from '../../../../lambda/shared/routing/routing-repository';
import type { ValveItem } from '../../../../lib/contract';
import { START } from '../../shared/support/fakes';

export const AGENT = 'support';
export const OLD = { release: 'r-000000000001', workerVersion: '1', routerVersion: '1' };
export const NEW = { release: 'r-000000000002', workerVersion: '2', routerVersion: '2' };
export const CLOSED = { version: OLD.routerVersion };
export const DONE = { version: NEW.routerVersion };

export function shifting(weight: number) {
  return { version: OLD.routerVersion, shift: { version: NEW.routerVersion, weight } };
}

/** A rollout from OLD to NEW in progress. No router has looked at the alias yet. */
export const IN_PROGRESS = {
  promoted: { target: OLD, promotedAt: START - 100_000 },
  rollout: { id: 'rollout-1', target: NEW, status: 'in_progress', startedAt: START },
} as const satisfies RoutingState;

export function valve(changes: Partial<ValveItem> = {}): ValveItem {
  return {
    rolloutId: 'rollout-1',
    current: CLOSED,
    previous: CLOSED,
    effectiveAt: START,
    checkedAt: START,
    sequence: 0,
    ...changes,
  };
}

/** Routing items in memory, with the store's conditional write. */
export class MemoryRouting implements Pick<RoutingRepository, 'readRouting' | 'writeValve'> {
  reads = 0;
  readonly writes: ValveItem[] = [];
  /** Runs before a write is judged: what happens while it is on its way. */
  onWrite: () => Promise<void> = async () => {};
  failure: Error | undefined;

  constructor(public state: RoutingState) {}

  async readRouting(): Promise<RoutingState> {
    this.reads += 1;
    if (this.failure !== undefined) {
      throw this.failure;
    }
    return this.state;
  }

  async writeValve(item: ValveItem, replaces: number | undefined): Promise<boolean> {
    await this.onWrite();
    if (this.state.valve?.sequence !== replaces) {
      return false;
    }
    this.state = { ...this.state, valve: item };
    this.writes.push(item);
    return true;
  }
}
