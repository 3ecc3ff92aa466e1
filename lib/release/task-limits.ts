import type { Duration } from 'aws-cdk-lib';

/**
 * Budget of one task, over all its attempts. A task that exceeds it is ended with a clear error and counted as cut off and
 * failed.
 */
export interface TaskLimits {
  /**
   * Time of work on the task, without waiting in queues; at most 12 hours. It may exceed the worker's timeout: a task is
   * handed to the next invocation with the steps that it has finished. One step must fit in one invocation.
   *
   * @default the worker's timeout less 10 seconds
   */
  readonly maxDuration?: Duration;
  /** @default 100 */
  readonly maxToolCalls?: number;
  /** @default 50 */
  readonly maxModelCalls?: number;
  /** Entries of the step journal: steps, tool calls and model calls together. @default 200 */
  readonly maxSteps?: number;
  /** Input and output tokens together. @default 500,000 */
  readonly maxTokens?: number;
  /** US dollars. @default 1 */
  readonly maxCost?: number;
}
