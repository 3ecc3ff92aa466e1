import type { Call } from './service';

/** The response to a call is lost: the connection is closed. The call may have been applied. */
export class ResponseLost extends Error {
  override readonly name = 'AnswerLost';
}

/** Fault of a batch that an event source mapping received. */
export type DeliveryFault =
  /** No invocation gets it: its messages become visible again after their visibility timeout. */
  | 'dropped'
  /** Two invocations get it at the same time. */
  | 'duplicated';

/** Fault of a process during an invocation. Real milliseconds from its start. */
export type ProcessFault =
  | { readonly kind: 'killed'; readonly afterMs: number }
  | { readonly kind: 'frozen'; readonly afterMs: number; readonly forMs: number };

/** Fault of a task of a service while it works on a message. Real milliseconds from its receipt. */
export type TaskFault = ProcessFault | { readonly kind: 'stopped'; readonly afterMs: number };

/** Injected faults. The services ask at the points where AWS gives no guarantee either. */
export interface FaultsPort {
  /**
   * Runs an authorized call, or injects a fault before, during or after it.
   * @throws ServiceError, AnswerLost
   */
  aroundCall<T>(service: string, call: Call, run: () => Promise<T>): Promise<T>;
  deliveryFault(functionName: string): DeliveryFault | undefined;
  /** @param event of the invocation, in JSON */
  processFault(functionName: string, event: string): ProcessFault | undefined;
  /** @param message that the task has received */
  taskFault(service: string, message: string): TaskFault | undefined;
  /** Whether no fault is injected into the work on this event or message. */
  isExempt(event: string): boolean;
  /**
   * Records a fault that was injected while the process worked on this event (for a task: on these messages). A fault for an
   * invocation that had already ended does not count.
   */
  recordInjected(fault: TaskFault, name: string, event: string): void;
}

/** Injects no faults. */
export const NO_FAULTS: FaultsPort = {
  aroundCall: (_service, _call, run) => run(),
  deliveryFault: () => undefined,
  processFault: () => undefined,
  taskFault: () => undefined,
  isExempt: () => true,
  recordInjected: () => undefined,
};
