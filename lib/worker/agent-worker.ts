import type { Duration } from 'aws-cdk-lib';
import type * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as iam from 'aws-cdk-lib/aws-iam';
import { Construct, type IConstruct } from 'constructs';
import type { ILaneQueues } from '../lanes';

/** A worker attached to a lane. */
export interface LaneAttachment {
  /**
   * Resource that carries the release: an alias of a function, or a service of containers. The lane runs a new release once
   * it is updated. Make it depend on everything that must come before.
   */
  readonly carrier: IConstruct;
  /** Event source mappings or scaling. Depend on these to be sure that the lane takes tasks. */
  readonly consumers: IConstruct[];
}

/** A worker of an agent, on any compute: grant to it what the agent's tools need, connect it, watch it. */
export interface IAgentWorker extends IConstruct, iam.IGrantable, ec2.IConnectable {
  /** Identifies the worker that carries the release: any change of the worker changes it. Known at synth or at deployment. */
  readonly version: string;
  /** Longest time from a message in an idle lane to the first running worker: a preflight waits that much longer. */
  readonly startTimeout: Duration;
  /** Executions that crashed or exceeded the worker's timeout, without failed tasks. Count; sum by default. */
  metricCrashes(props?: cloudwatch.MetricOptions): cloudwatch.Metric;
}

/**
 * A worker in a stack, on any compute: grant to it, connect to it, attach lanes to it.
 *
 * Both lanes share one role and one network. A permission that is removed is gone for the release on the stable lane as
 * well, so remove it one deployment after the last release that needs it.
 */
export abstract class AgentWorker extends Construct implements IAgentWorker {
  abstract readonly grantPrincipal: iam.IPrincipal;
  /** @throws LaneError without a VPC */
  abstract readonly connections: ec2.Connections;
  /** Identifies the worker that carries the release: any change of the worker changes it. Known at synth or at deployment. */
  abstract readonly version: string;
  /** Visibility timeout for the lanes' queues: how long a received message stays invisible to other workers. */
  abstract readonly visibilityTimeout: Duration;
  /** Longest time from a message in an idle lane to the first running worker: a preflight waits that much longer. */
  abstract readonly startTimeout: Duration;

  /** Lets the worker take tasks from the lane's queues. Once per lane. */
  abstract attachLane(lane: ILaneQueues): LaneAttachment;

  /** Executions that crashed or exceeded the worker's timeout, without failed tasks. Count; sum by default. */
  abstract metricCrashes(props?: cloudwatch.MetricOptions): cloudwatch.Metric;

  /** Rows of the agent's dashboard for metrics that only this kind of worker has. Attach the lanes first. */
  dashboardRows(): cloudwatch.IWidget[][] {
    return [];
  }
}
