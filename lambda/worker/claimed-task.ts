import type { TaskRecord } from '../../lib/contract';
import type { Lease } from '../shared/tasks/task-leases';
import type { WorkerMessage } from './message/worker-message';

/** A task that this worker has claimed, with what is needed to run and finish it. */
export interface ClaimedTask {
  readonly message: WorkerMessage;
  readonly lease: Lease;
  readonly task: TaskRecord;
  /** Attempts that count, including this one. */
  readonly countedAttempts: number;
  /** Real milliseconds until Lambda ends the function, or the worker's timeout in a container. */
  readonly remainingMs: () => number;
  /** Aborts with a TaskRequeuedError when the worker's container must stop. Absent on Lambda, which gives no notice. */
  readonly stopSignal?: AbortSignal | undefined;
  /** Real milliseconds since the claim. */
  readonly elapsed: () => number;
}
