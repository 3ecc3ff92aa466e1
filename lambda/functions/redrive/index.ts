/**
 * Lists the tasks in the lanes' dead-letter queues, and sends them back. Invoked by an operator; `cdk-agent-lanes redrive`
 * is the comfortable way to do it.
 */
import { Env } from '../../../lib/contract';
import { documentClient } from '../../shared/aws/clients/dynamodb';
import { sqsClient } from '../../shared/aws/clients/sqs';
import type { InvocationContext } from '../../shared/aws/invocation-deadline';
import { scaleTimeout, systemClock } from '../../shared/clock';
import { lazy } from '../../shared/lazy';
import { AuditTrail } from '../../shared/routing/audit-trail';
import { ControlTable } from '../../shared/routing/control-table';
import { RoutingRepository } from '../../shared/routing/routing-repository';
import { readSettings } from '../../shared/settings';
import { TaskQueues } from '../../shared/tasks/task-queues';
import { TaskRepository } from '../../shared/tasks/task-repository';
import { createLogger } from '../../shared/telemetry/logger';
import { DeadLetters, HIDE_MS, MIN_REAL_HIDE_MS } from './dead-letters';
import type { RedriveAnswer } from './protocol';
import { TaskRedriver, type TaskRedriverDeps } from './redrive';
import { parseRequest } from './request';
import { redriveSettingsSchema } from './settings';

/** Real milliseconds that are kept for the end of a call: releasing messages, audit, answer. */
const RESERVE_MS = 15_000;

const dependencies = lazy((): Omit<TaskRedriverDeps, 'isOver' | 'requestId'> => {
  const settings = readSettings(redriveSettingsSchema);
  const agent = settings[Env.AGENT];
  const clock = systemClock();
  const dynamodb = documentClient();
  // A read may wait for messages.
  const sqs = sqsClient({ requestTimeout: 10_000 });
  const control = settings[Env.CONTROL_TABLE];
  return {
    agent,
    letters: new DeadLetters(sqs, settings[Env.DEAD_LETTER_QUEUES], scaleTimeout(HIDE_MS, MIN_REAL_HIDE_MS)),
    tasks: new TaskRepository(dynamodb, settings[Env.TASKS_TABLE]),
    retentionDays: settings[Env.TASK_RETENTION_DAYS],
    queues: new TaskQueues(sqs, settings[Env.QUEUES]),
    routing: new RoutingRepository(dynamodb, control),
    audit: new AuditTrail(new ControlTable(dynamodb, control), agent),
    clock,
    logger: createLogger({ component: 'redrive', agent }, clock),
  };
});

/** @throws InvalidRequestError for an event that is no request */
export async function handler(
  event: unknown,
  context: InvocationContext & { readonly awsRequestId: string },
): Promise<RedriveAnswer> {
  const request = parseRequest(event);
  return await new TaskRedriver(request, {
    ...dependencies(),
    isOver: () => context.getRemainingTimeInMillis() < RESERVE_MS,
    requestId: context.awsRequestId,
  }).run();
}
