import type { Duration } from 'aws-cdk-lib';
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { ILaneQueues } from '../lanes';
import type { LaneAttachment } from './lane-attachment';

/**
 * A worker in a stack, whatever it runs on: grant to it, connect to it, attach lanes to it.
 *
 * One role and one network place serve both lanes, so a permission that is taken away is gone for the release that
 * still serves the stable lane, too: drop it one deployment after the last release that needs it.
 */
export abstract class AgentWorker extends Construct implements iam.IGrantable, ec2.IConnectable {
  abstract readonly grantPrincipal: iam.IPrincipal;
  /** @throws without a VPC */
  abstract readonly connections: ec2.Connections;
  /** Identifies the worker that runs the release: any change of the worker changes it. Known at synth or at deployment. */
  abstract readonly version: string;
  /** For the lanes' queues: how long a received message stays hidden. */
  abstract readonly visibilityTimeout: Duration;
  /** Longest until a lane that was idle works on a task: what a preflight has to wait beyond the task itself. */
  abstract readonly startTimeout: Duration;

  /** Lets the worker take tasks from the lane's queues. Once per lane. */
  abstract attachLane(lane: ILaneQueues): LaneAttachment;

  /** Executions that crashed or ran into the worker's timeout. A task that failed properly is not among them. */
  abstract metricCrashes(props?: cloudwatch.MetricOptions): cloudwatch.Metric;

  /** Rows of the agent's dashboard about what this kind of worker alone has. Attach the lanes first. */
  dashboardRows(): cloudwatch.IWidget[][] {
    return [];
  }
}
