import type { Duration, RemovalPolicy } from 'aws-cdk-lib';
import type * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import type { Release } from '../release';
import type { AgentStore } from '../state';

/** What a worker is built into. */
export interface WorkerContext {
  readonly agentName: string;
  readonly release: Release;
  readonly store: AgentStore;
  /** By the name under which the agent asks for them. Read at run time, by ARN. */
  readonly secrets: { [name: string]: secretsmanager.ISecret };
  /** How long a finished task is kept, in whole days. @default 30 days */
  readonly taskRetention?: Duration;
  /** Receives after which a lane gives a message up; the same for all lanes. @default 5 */
  readonly maxReceiveCount?: number;
  /** What becomes of the log group when the stack is deleted. @default RemovalPolicy.DESTROY */
  readonly removalPolicy?: RemovalPolicy;
}
