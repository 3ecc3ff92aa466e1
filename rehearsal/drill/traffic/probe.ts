import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { z } from 'zod';
import { runPreflight } from '../../../lambda/functions/preflight/preflight';
import { documentClient } from '../../../lambda/shared/aws/clients/dynamodb';
import { TaskQueues } from '../../../lambda/shared/tasks/task-queues';
import { TaskRepository } from '../../../lambda/shared/tasks/task-repository';
import { MetricEmitter } from '../../../lambda/shared/telemetry/emf';
import { Dimension, probeCheckSchema } from '../../../lib/contract';
import type { RehearsalClock } from '../../core/clock';
import type { OperatorAccess } from '../observe/operator-access';
import type { AgentUnderTest } from '../scenario/agent-under-test';

/** Timeout of the probe, in cloud seconds. */
const PROBE_TIMEOUT_SECONDS = 600;

/** Result of a probe. */
export interface ProbeOutcome {
  /**
   * `passed`; `unanswered`: the deployment works, but the agent could not use the provider's answer, which is expected without
   * a scenario; `failed`: the deployment does not work.
   */
  readonly kind: 'passed' | 'unanswered' | 'failed';
  readonly reason: string;
}

/** Check of the probe that depends on the model's answer. */
const AGENT_CHECK = 'agent';

/** Sends the preflight's probe through the agent: queue, worker, behavior, secrets, store, model. */
export async function sendProbe(
  access: OperatorAccess,
  agent: AgentUnderTest,
  clock: RehearsalClock,
  signal: AbortSignal,
): Promise<ProbeOutcome> {
  const tables = new DynamoDBClient(access);
  const queues = new SQSClient(access);
  try {
    const verdict = await runPreflight(
      {
        agent: agent.name,
        release: agent.release,
        timeoutSeconds: PROBE_TIMEOUT_SECONDS,
        tasks: new TaskRepository(documentClient(tables), agent.tasksTable),
        queues: new TaskQueues(queues, agent.queues),
        // The log of this process is not a source of metrics, and the local queues report their metrics without delay.
        metrics: new MetricEmitter({ dimensions: { [Dimension.AGENT]: agent.name }, clock, sink: () => undefined }),
        clock,
      },
      signal,
    );
    if (verdict.passed) {
      return { kind: 'passed', reason: verdict.reason };
    }
    const checks = z.array(probeCheckSchema).safeParse(verdict.details?.checks);
    const failed = checks.success ? checks.data.filter(({ ok }) => !ok) : [];
    const [first] = failed;
    return first !== undefined && failed.every(({ name }) => name === AGENT_CHECK)
      ? { kind: 'unanswered', reason: first.message ?? 'no reason given' }
      : { kind: 'failed', reason: verdict.reason };
  } finally {
    tables.destroy();
    queues.destroy();
  }
}
