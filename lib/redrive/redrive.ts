import { Duration } from 'aws-cdk-lib';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { BundledFunction } from '../common';
import { Env } from '../contract';
import type { ILane } from '../lanes';
import { deadLetterUrls, queueUrls } from '../lanes/lane-queues';
import type { IAgentStore } from '../state';
import { grantRedrive } from '../state/store-grants';
import { DEAD_LETTER_ACTIONS, INVOKE_REDRIVE_ACTIONS } from './perms';

/** Settings of a {@link Redrive}. */
export interface RedriveProps {
  /** Name of the agent: value of the metric dimension `Agent`. */
  readonly agentName: string;
  /** Where tasks are recorded. */
  readonly store: IAgentStore;
  /** Lane of the promoted release. */
  readonly stable: ILane;
  /** Lane of the release that is rolled out. */
  readonly candidate: ILane;
  /** How long a finished task is kept, in whole days. */
  readonly taskRetention: Duration;
}

/** Limits one invocation; `npx cdk-agent-lanes redrive` invokes the function again while messages are left. */
const TIMEOUT = Duration.minutes(5);

/**
 * Lists the tasks in the lanes' dead-letter queues and redrives them. A redrive by SQS alone is not enough: the task's record
 * says that it has failed, so the worker would move the message to the dead-letter queue again.
 */
export class Redrive extends Construct {
  /** The redrive function, for `npx cdk-agent-lanes redrive`. */
  readonly function: LambdaFunction;

  constructor(scope: Construct, id: string, props: RedriveProps) {
    super(scope, id);
    const { agentName, candidate, stable, store, taskRetention } = props;
    const lanes = [stable, candidate];
    this.function = new BundledFunction(this, 'Function', {
      bundle: 'redrive',
      description: 'Lists and redrives the tasks in the dead-letter queues; invoked by operators',
      timeout: TIMEOUT,
      environment: {
        [Env.AGENT]: agentName,
        [Env.TASKS_TABLE]: store.tasks.tableName,
        [Env.CONTROL_TABLE]: store.control.tableName,
        [Env.QUEUES]: queueUrls(this, lanes),
        [Env.DEAD_LETTER_QUEUES]: deadLetterUrls(this, lanes),
        [Env.TASK_RETENTION_DAYS]: String(taskRetention.toDays()),
      },
    });
    grantRedrive(store, this.function);
    for (const lane of lanes) {
      lane.grantSend(this.function);
      Grant.addToPrincipal({
        grantee: this.function,
        actions: DEAD_LETTER_ACTIONS,
        resourceArns: [lane.deadLetterQueue.queueArn],
      });
      lane.deadLetterQueue.encryptionMasterKey?.grantDecrypt(this.function);
    }
  }

  /** Lets the grantee list and redrive tasks in the dead-letter queues: `npx cdk-agent-lanes redrive`. */
  grantInvoke(grantee: IGrantable): Grant {
    return Grant.addToPrincipal({
      grantee,
      actions: INVOKE_REDRIVE_ACTIONS,
      resourceArns: [this.function.functionArn],
    });
  }
}
