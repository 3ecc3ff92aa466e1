/**
 * Lists the tasks in the lanes' dead-letter queues, and sends them back. Invoked by an operator; `cdk-agent-lanes redrive`
 * is the comfortable way to do it.
 */
import { Env } from '../../lib/contract';
import { documentClient } from '../common/clients/dynamodb';
import { sqsClient } from '../common/clients/sqs';
import { patienceFor, systemClock } from '../common/clock';
import type { InvocationContext } from '../common/deadline';
import { createLogger } from '../common/logger';
import { once } from '../common/once';
import { readSettings } from '../common/settings';
import { TaskQueues } from '../common/task-queues';
import { TaskTable } from '../common/task-table';
import { AuditTrail } from '../recorder/audit-trail';
import { ControlTable } from '../recorder/control-table';
import { ControlTableRouting } from '../router/routing-store';
import { DeadLetters, HIDE_MS, LEAST_REAL_HIDE_MS } from './dead-letters';
import { DeadTasks } from './dead-tasks';
import type { RedriveAnswer } from './protocol';
import { Redrive, type RedriveProps } from './redrive';
import { parseRequest } from './request';
import { settingsSchema } from './settings';

/** Real milliseconds that are kept for the end of a call: releasing messages, audit, answer. */
const RESERVE_MS = 15_000;

const dependencies = once((): Omit<RedriveProps, 'isOver' | 'requestId'> => {
  const settings = readSettings(settingsSchema);
  const agent = settings[Env.AGENT];
  const clock = systemClock();
  const dynamodb = documentClient();
  // A read may wait for messages.
  const sqs = sqsClient({ requestTimeout: 10_000 });
  const control = settings[Env.CONTROL_TABLE];
  return {
    agent,
    letters: new DeadLetters(sqs, settings[Env.DEAD_LETTER_QUEUES], patienceFor(HIDE_MS, LEAST_REAL_HIDE_MS)),
    records: new TaskTable(dynamodb, settings[Env.TASKS_TABLE]),
    tasks: new DeadTasks(dynamodb, settings[Env.TASKS_TABLE], settings[Env.TASK_RETENTION_DAYS]),
    queues: new TaskQueues(sqs, settings[Env.QUEUES]),
    routing: new ControlTableRouting(dynamodb, control),
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
  return await new Redrive(request, {
    ...dependencies(),
    isOver: () => context.getRemainingTimeInMillis() < RESERVE_MS,
    requestId: context.awsRequestId,
  }).run();
}
