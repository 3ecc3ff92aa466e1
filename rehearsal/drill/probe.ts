import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { documentClient } from '../../lambda/common/clients/dynamodb';
import { TaskQueues } from '../../lambda/common/task-queues';
import { TaskTable } from '../../lambda/common/task-table';
import { runPreflight } from '../../lambda/preflight/preflight';
import type { RehearsalClock } from '../core/clock';
import type { AgentUnderTest } from './agent-under-test';
import type { OperatorAccess } from './operator-access';

/** Cloud seconds that the probe may take. */
const PROBE_SECONDS = 600;

/** Sends the preflight's probe through the agent: queue, worker, behaviour, secrets, store, model. */
export async function sendProbe(
  access: OperatorAccess,
  agent: AgentUnderTest,
  clock: RehearsalClock,
  signal: AbortSignal,
): Promise<{ readonly passed: boolean; readonly reason: string }> {
  const tables = new DynamoDBClient(access);
  const queues = new SQSClient(access);
  try {
    const verdict = await runPreflight(
      {
        agent: agent.name,
        release: agent.release,
        timeoutSeconds: PROBE_SECONDS,
        tasks: new TaskTable(documentClient(tables), agent.tasksTable),
        queues: new TaskQueues(queues, agent.queues),
        clock,
      },
      signal,
    );
    return { passed: verdict.passed, reason: verdict.reason };
  } finally {
    tables.destroy();
    queues.destroy();
  }
}
