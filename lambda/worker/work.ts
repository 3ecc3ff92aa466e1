import type { TaskRecord } from '../../lib/contract';
import type { Delivery } from './delivery';
import type { Lease } from './task-store';

/** A task that this worker has claimed. */
export interface Work {
  readonly delivery: Delivery;
  readonly lease: Lease;
  readonly task: TaskRecord;
  /** Attempts that count, this one included. */
  readonly tries: number;
  /** Real milliseconds until Lambda ends the function. */
  readonly remainingMs: () => number;
  /** Real milliseconds since the claim. */
  readonly elapsed: () => number;
}
