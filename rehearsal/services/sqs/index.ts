import type { RehearsalClock } from '../../core/clock';
import type { IamPort, MetricsPort } from '../../core/ports';
import type { ResourceHandler } from '../../core/resource';
import type { RehearsalService } from '../../core/service';
import { MoveTasks } from './move-tasks';
import { SQS_OPERATIONS, SqsOperations } from './operations';
import { QueueMetrics } from './queue-metrics';
import { Queues } from './queues';
import { QueueHandler, QueuePolicyHandler } from './resources';
import { createSqsPort, type LambdaSqsPort } from './sqs-port';

export type { LambdaSqsPort } from './sqs-port';

export interface SqsDeps {
  readonly clock: RehearsalClock;
  readonly metrics: MetricsPort;
  readonly iam: IamPort;
  /** Base URL of the API server, without a trailing slash; called when a URL is needed. */
  readonly endpointUrl: () => string;
}

export interface QueueView {
  readonly name: string;
  readonly arn: string;
  readonly url: string;
  readonly visible: number;
  readonly notVisible: number;
  readonly delayed: number;
  /** Dead-letter queue of messages that were received too often. */
  readonly deadLetterArn: string | undefined;
}

export interface Sqs {
  readonly service: RehearsalService;
  readonly handlers: readonly ResourceHandler[];
  readonly port: LambdaSqsPort;
  /** Every queue with its exact counts. */
  queues(): readonly QueueView[];
  /** Bodies of all messages in a queue, visible or not. */
  bodies(queueName: string): readonly string[];
  stop(): Promise<void>;
}

/** Codes of the former query protocol where they differ, as SDKs still report them. */
const QUERY_ERROR_CODES = {
  QueueDoesNotExist: 'AWS.SimpleQueueService.NonExistentQueue',
  EmptyBatchRequest: 'AWS.SimpleQueueService.EmptyBatchRequest',
  TooManyEntriesInBatchRequest: 'AWS.SimpleQueueService.TooManyEntriesInBatchRequest',
  BatchEntryIdsNotDistinct: 'AWS.SimpleQueueService.BatchEntryIdsNotDistinct',
  BatchRequestTooLong: 'AWS.SimpleQueueService.BatchRequestTooLong',
  InvalidBatchEntryId: 'AWS.SimpleQueueService.InvalidBatchEntryId',
  MessageNotInflight: 'AWS.SimpleQueueService.MessageNotInflight',
  UnsupportedOperation: 'AWS.SimpleQueueService.UnsupportedOperation',
} as const;

/**
 * SQS standard queues; see {@link SqsOperations}. FIFO queues are refused when they are created.
 */
export function createSqs({ clock, metrics, iam, endpointUrl }: SqsDeps): Sqs {
  const queues = new Queues(clock, endpointUrl);
  const moves = new MoveTasks(clock, queues);
  const operations = new SqsOperations(queues, moves);
  const publisher = new QueueMetrics(clock, queues, metrics);
  return {
    service: {
      signingName: 'sqs',
      protocol: 'awsJson1.0',
      operations: SQS_OPERATIONS,
      accessDeniedCode: 'AccessDenied',
      queryErrorCodes: QUERY_ERROR_CODES,
      authorize: (call) => operations.authorize(call),
      handle: (call) => operations.handle(call),
    },
    handlers: [new QueueHandler(queues), new QueuePolicyHandler(iam)],
    port: createSqsPort(queues),
    queues: () =>
      [...queues.all()].map((queue) => ({
        name: queue.name,
        arn: queue.arn,
        url: queues.urlOf(queue),
        ...queue.sizes(),
        deadLetterArn: queue.settings.redrive?.deadLetterTargetArn,
      })),
    bodies: (name) => queues.named(name).bodies(),
    stop: async () => {
      publisher.stop();
      moves.stop();
      for (const queue of queues.all()) {
        queue.close();
      }
    },
  };
}
