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

export interface RedriveProps {
  readonly agentName: string;
  readonly store: IAgentStore;
  readonly stable: ILane;
  readonly candidate: ILane;
  /** How long a finished task is kept, in whole days. */
  readonly taskRetention: Duration;
}

/** The function reads whole queues; `npx cdk-agent-lanes redrive` calls it again as long as there is more. */
const TIMEOUT = Duration.minutes(5);

/**
 * Lists the tasks in the lanes' dead-letter queues and sends them back. Sent back by SQS itself, a task would be found
 * ended and be put where it came from.
 */
export class Redrive extends Construct {
  readonly function: LambdaFunction;

  constructor(scope: Construct, id: string, props: RedriveProps) {
    super(scope, id);
    const { agentName, candidate, stable, store, taskRetention } = props;
    const lanes = [stable, candidate];
    this.function = new BundledFunction(this, 'Function', {
      bundle: 'redrive',
      description: 'Lists the tasks in the dead-letter queues and sends them back; invoked by operators',
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

  /** Lets somebody list dead tasks and send them back: `npx cdk-agent-lanes redrive`. */
  grantInvoke(grantee: IGrantable): Grant {
    return Grant.addToPrincipal({
      grantee,
      actions: INVOKE_REDRIVE_ACTIONS,
      resourceArns: [this.function.functionArn],
    });
  }
}
