import type { Duration } from 'aws-cdk-lib';

/**
 * Limits of one task, over all its attempts. A task that exceeds one is aborted with a clear error and counted as aborted
 * and failed.
 */
export interface TaskLimits {
  /**
   * Time of work on the task, without waiting in queues: at most 12 hours. It may exceed the worker's timeout: the next
   * invocation continues the task with the finished steps. One step must fit into one invocation.
   *
   * @default - the worker's timeout less 10 seconds
   */
  readonly maxDuration?: Duration;
  /** Tool calls: an integer of 1 or more. @default 100 */
  readonly maxToolCalls?: number;
  /** Model calls: an integer of 1 or more. @default 50 */
  readonly maxModelCalls?: number;
  /** Entries of the step journal: steps, tool calls and model calls together. @default 200 */
  readonly maxSteps?: number;
  /** Input and output tokens together. @default 500_000 */
  readonly maxTokens?: number;
  /** Cost of the model calls in US dollars, by the prices of the models. @default 1 */
  readonly maxCost?: number;
}
