import type { Call } from './service';

/** The answer to a call got lost: the connection is to be cut. What the call does has been done. */
export class ResponseLost extends Error {
  override readonly name = 'AnswerLost';
}

/** What is to become of a batch that an event source mapping received. */
export type DeliveryFault =
  /** Nobody is invoked with it: its messages come back when their invisibility is over. */
  | 'dropped'
  /** Two invocations get it at the same time. */
  | 'duplicated';

/** What is to happen to a process while it runs an invocation. Real milliseconds from its start. */
export type ProcessFault =
  | { readonly kind: 'killed'; readonly afterMs: number }
  | { readonly kind: 'frozen'; readonly afterMs: number; readonly forMs: number };

/** What is to happen to a task of a service while it works on a message. Real milliseconds from its receipt. */
export type TaskFault = ProcessFault | { readonly kind: 'stopped'; readonly afterMs: number };

/** What goes wrong on purpose. The services ask at the places where AWS, too, gives no guarantee. */
export interface FaultsPort {
  /**
   * Runs a call that was authorized, or not, or makes its answer another.
   * @throws ServiceError, AnswerLost
   */
  aroundCall<T>(service: string, call: Call, run: () => Promise<T>): Promise<T>;
  deliveryFault(functionName: string): DeliveryFault | undefined;
  /** @param event of the invocation, in JSON */
  processFault(functionName: string, event: string): ProcessFault | undefined;
  /** @param message that the task has received */
  taskFault(service: string, message: string): TaskFault | undefined;
  /** Whether whoever works on this event, or message, is left in peace. */
  isExempt(event: string): boolean;
  /**
   * The fault has met its process, at work on this event: one for an invocation that was over before does not count. For a
   * task: on these messages.
   */
  recordInjected(fault: TaskFault, name: string, event: string): void;
}

/** Nothing goes wrong. */
export const NO_FAULTS: FaultsPort = {
  aroundCall: (_service, _call, run) => run(),
  deliveryFault: () => undefined,
  processFault: () => undefined,
  taskFault: () => undefined,
  isExempt: () => true,
  recordInjected: () => undefined,
};
