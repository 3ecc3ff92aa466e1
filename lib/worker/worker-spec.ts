import type { Construct } from 'constructs';
import type { Behavior, WorkerDescription } from '../release';
import type { AgentWorker } from './agent-worker';
import { describeFargateWorker, FargateWorker } from './fargate/fargate-worker';
import type { FargateWorkerOptions } from './fargate/fargate-worker-options';
import { describeLambdaWorker, LambdaWorker } from './lambda-worker';
import type { LambdaWorkerOptions } from './lambda-worker-options';
import type { WorkerContext } from './worker-context';

/** What runs an agent's tasks. Described first, for the release; bound into the stack afterwards. */
export abstract class WorkerSpec {
  /** A Lambda function: steps of up to 15 minutes, tasks of up to 12 hours, nothing to pay when idle. */
  static lambda(props: LambdaWorkerOptions): WorkerSpec {
    return new LambdaKind(props);
  }

  /**
   * Containers on Fargate, scaled by what waits and what is in work, from none and to none: steps of up to 12 hours, agents in
   * any language, and many tasks at once in each container.
   */
  static fargate(props: FargateWorkerOptions): WorkerSpec {
    return new FargateKind(props);
  }

  /**
   * What of the worker goes into the release. Same answer whenever it is asked with the same content.
   *
   * @param behavior that the worker runs: it carries the clients of these models' providers
   *
   * @internal
   */
  abstract _describe(scope: Construct, behavior: Behavior): WorkerDescription;

  /** Creates the worker. @internal */
  abstract _bind(scope: Construct, id: string, context: WorkerContext): AgentWorker;
}

class LambdaKind extends WorkerSpec {
  constructor(private readonly props: LambdaWorkerOptions) {
    super();
  }

  /** @internal */
  _describe(scope: Construct, behavior: Behavior): WorkerDescription {
    return describeLambdaWorker(scope, this.props, behavior);
  }

  /** @internal */
  _bind(scope: Construct, id: string, context: WorkerContext): AgentWorker {
    return new LambdaWorker(scope, id, { worker: this.props, context });
  }
}

class FargateKind extends WorkerSpec {
  constructor(private readonly props: FargateWorkerOptions) {
    super();
  }

  /** @internal */
  _describe(scope: Construct, behavior: Behavior): WorkerDescription {
    return describeFargateWorker(scope, this.props, behavior);
  }

  /** @internal */
  _bind(scope: Construct, id: string, context: WorkerContext): AgentWorker {
    return new FargateWorker(scope, id, { worker: this.props, context });
  }
}
