import { z } from 'zod';
import type { FaultsPort, TaskFault } from '../../core/faults';
import type { Call } from '../../core/service';
import type { Task } from './task';

const receivedSchema = z.looseObject({
  Messages: z.array(z.looseObject({ Body: z.string(), ReceiptHandle: z.string() })).optional(),
});
const handleSchema = z.looseObject({ ReceiptHandle: z.string(), VisibilityTimeout: z.number().optional() });
const batchSchema = z.looseObject({ Entries: z.array(handleSchema) });

export interface TaskFaultInjectorDeps {
  readonly faults: FaultsPort;
  /** Running task by its id. */
  readonly taskOf: (id: string) => Task | undefined;
}

/**
 * Injects faults into tasks while they work. It tracks the messages in flight of each task (received, and neither deleted nor
 * made visible again) and asks the fault plan for each of them.
 */
export class TaskFaultInjector {
  readonly #props: TaskFaultInjectorDeps;
  readonly #inFlight = new WeakMap<Task, Map<string, string>>();

  constructor(props: TaskFaultInjectorDeps) {
    this.#props = props;
  }

  /** Records a successful call; only calls of tasks to SQS matter. */
  observe(service: string, call: Call, output: unknown): void {
    const { label, session } = call.principal;
    const task = service === 'sqs' && session !== undefined ? this.#props.taskOf(session) : undefined;
    if (task === undefined) {
      return;
    }
    switch (call.operation) {
      case 'ReceiveMessage':
        for (const { Body, ReceiptHandle } of receivedSchema.safeParse(output).data?.Messages ?? []) {
          this.#messagesOf(task).set(ReceiptHandle, Body);
          const fault = this.#props.faults.taskFault(label, Body);
          if (fault !== undefined) {
            this.#scheduleFault(task, label, ReceiptHandle, fault);
          }
        }
        break;
      case 'DeleteMessage':
      case 'DeleteMessageBatch':
      case 'ChangeMessageVisibility':
      case 'ChangeMessageVisibilityBatch':
        for (const { ReceiptHandle, VisibilityTimeout } of handlesIn(call.input)) {
          if (call.operation.startsWith('Delete') || VisibilityTimeout === 0) {
            this.#messagesOf(task).delete(ReceiptHandle);
          }
        }
        break;
    }
  }

  /** Injects the fault if the task still works on the message then, and on none that is exempt. */
  #scheduleFault(task: Task, label: string, receipt: string, fault: TaskFault): void {
    const { faults } = this.#props;
    const timer = setTimeout(() => {
      const messages = this.#messagesOf(task);
      const bodies = [...messages.values()];
      if (!task.shouldRun || !messages.has(receipt) || bodies.some((body) => faults.isExempt(body))) {
        return;
      }
      switch (fault.kind) {
        case 'killed':
          task.kill();
          break;
        case 'frozen':
          task.freeze(fault.forMs);
          break;
        case 'stopped':
          void task.stop({ code: 'UserInitiated', reason: 'rehearsed fault: stopped while it works' });
          break;
      }
      faults.recordInjected(fault, label, bodies.join('\n'));
    }, fault.afterMs);
    timer.unref();
  }

  #messagesOf(task: Task): Map<string, string> {
    const known = this.#inFlight.get(task) ?? new Map<string, string>();
    this.#inFlight.set(task, known);
    return known;
  }
}

function handlesIn(input: Call['input']): readonly z.infer<typeof handleSchema>[] {
  const batch = batchSchema.safeParse(input);
  if (batch.success) {
    return batch.data.Entries;
  }
  const single = handleSchema.safeParse(input);
  return single.success ? [single.data] : [];
}
