import type { Duration } from 'aws-cdk-lib';

/** Budget of one task. A task that exceeds it is ended with a clear error and counted as failed. */
export interface TaskLimits {
  /**
   * From claim to end; must leave the worker 5 seconds of its timeout to write down the end.
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
