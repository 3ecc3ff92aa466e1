import type { Construct } from 'constructs';
import type { WorkerDescription } from '../release';
import type { AgentWorker } from './agent-worker';
import { describeFargateWorker, FargateWorker } from './fargate/fargate-worker';
import type { FargateWorkerProps } from './fargate/fargate-worker-props';
import { describeLambdaWorker, LambdaWorker } from './lambda-worker';
import type { LambdaWorkerProps } from './lambda-worker-props';
import type { WorkerContext } from './worker-context';

/** What runs an agent's tasks. Described first, for the release; bound into the stack afterwards. */
export abstract class Worker {
  /** A Lambda function: steps of up to 15 minutes, tasks of up to 12 hours, nothing to pay when idle. */
  static lambda(props: LambdaWorkerProps): Worker {
    return new LambdaKind(props);
  }

  /**
   * Containers on Fargate, scaled by what waits and what is in work, from none and to none: steps of up to 12 hours, agents in
   * any language, and many tasks at once in each container.
   */
  static fargate(props: FargateWorkerProps): Worker {
    return new FargateKind(props);
  }

  /** What of the worker goes into the release. Same answer whenever it is asked with the same content. */
  abstract describe(scope: Construct): WorkerDescription;

  /** Creates the worker. */
  abstract bind(scope: Construct, id: string, context: WorkerContext): AgentWorker;
}

class LambdaKind extends Worker {
  constructor(private readonly props: LambdaWorkerProps) {
    super();
  }

  describe(scope: Construct): WorkerDescription {
    return describeLambdaWorker(scope, this.props);
  }

  bind(scope: Construct, id: string, context: WorkerContext): AgentWorker {
    return new LambdaWorker(scope, id, { worker: this.props, context });
  }
}

class FargateKind extends Worker {
  constructor(private readonly props: FargateWorkerProps) {
    super();
  }

  describe(scope: Construct): WorkerDescription {
    return describeFargateWorker(scope, this.props);
  }

  bind(scope: Construct, id: string, context: WorkerContext): AgentWorker {
    return new FargateWorker(scope, id, { worker: this.props, context });
  }
}
