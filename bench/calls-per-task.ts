import { CloudWatchClient, GetMetricDataCommand, type MetricDataQuery } from '@aws-sdk/client-cloudwatch';
import { TASK_SORT_KEY } from '../lib/contract';
import { itemBytes } from './item-bytes';
import { accessOf, type RehearsedStack } from './rehearsed-stack';

const WARM_UP = 100;
const TASKS = 500;
/** Tasks of the run that measures what steps cost, and steps in each. */
const STEPPED_TASKS = 100;
const STEPS = 5;

/** Bytes that CloudWatch Logs counts for each event beside its text (https://aws.amazon.com/cloudwatch/pricing/). */
const EVENT_OVERHEAD = 26;

const DAY_SECONDS = 86_400;

/** What one task took, counted at the wire of the local cloud and by its metrics. */
export interface CallsPerTask {
  /** Calls that functions made, by `service.Operation`. */
  readonly wire: Readonly<Record<string, number>>;
  /** Calls that the event source mapping made: it is part of Lambda, but SQS charges them. */
  readonly mapping: { readonly received: number; readonly deleted: number };
  /** Mean size of a finished task's item. */
  readonly itemBytes: number;
  /** Bytes of log, by function. */
  readonly logBytes: { readonly router: number; readonly worker: number };
  /** Further calls for each step of a task. */
  readonly perStep: Readonly<Record<string, number>>;
}

/** Sends tasks through a stack whose agent does nothing, and counts. */
export async function callsPerTask(stack: RehearsedStack): Promise<CallsPerTask> {
  await stack.send(WARM_UP, { steps: 0 });
  await stack.allFinal(WARM_UP);
  const wire = await count(stack, WARM_UP, TASKS, 0);
  const sent = WARM_UP + TASKS;
  const mapping = await mappingCalls(stack, sent);
  const size = await meanItemBytes(stack);
  const logBytes = {
    router: logBytesPerTask(stack, 'task accepted'),
    worker: logBytesPerTask(stack, 'task finished'),
  };
  const stepped = await count(stack, sent, STEPPED_TASKS, STEPS);
  const perStep = Object.entries(stepped)
    .map(([call, each]) => [call, (each - (wire[call] ?? 0)) / STEPS] as const)
    // What is read once in a while for all tasks differs from run to run, and belongs to no step.
    .filter(([, each]) => each > 0.5);
  return { wire, mapping, itemBytes: size, logBytes, perStep: Object.fromEntries(perStep) };
}

/** Calls per task over a number of tasks, sent after the earlier ones. */
async function count(
  { cloud, send, allFinal }: RehearsedStack,
  before: number,
  tasks: number,
  steps: number,
): Promise<Record<string, number>> {
  const calls = cloud.calls();
  await send(tasks, { steps });
  await allFinal(before + tasks);
  return Object.fromEntries(
    Object.entries(cloud.calls())
      .map(([call, total]) => [call, (total - (calls[call] ?? 0)) / tasks] as const)
      .filter(([, each]) => each > 0),
  );
}

/** Receives and deletes of the queue that the tasks went through, per task. */
async function mappingCalls(stack: RehearsedStack, tasks: number): Promise<CallsPerTask['mapping']> {
  const { cloud, agent } = stack;
  const queue = agent.queues.stable.normal.split('/').at(-1) ?? '';
  const query = (id: string, name: string): MetricDataQuery => ({
    Id: id,
    MetricStat: {
      Metric: { Namespace: 'AWS/SQS', MetricName: name, Dimensions: [{ Name: 'QueueName', Value: queue }] },
      Period: DAY_SECONDS,
      Stat: 'Sum',
    },
  });
  const client = new CloudWatchClient(accessOf(stack));
  try {
    // The queue publishes its counts once per minute.
    await cloud.clock.sleep(120_000);
    const { MetricDataResults = [] } = await client.send(
      new GetMetricDataCommand({
        StartTime: new Date(cloud.clock.now() - DAY_SECONDS * 1000),
        EndTime: new Date(cloud.clock.now() + DAY_SECONDS * 1000),
        MetricDataQueries: [query('received', 'NumberOfMessagesReceived'), query('deleted', 'NumberOfMessagesDeleted')],
      }),
    );
    const perTask = (id: string): number => {
      const values = MetricDataResults.find(({ Id }) => Id === id)?.Values ?? [];
      return values.reduce((sum, value) => sum + value, 0) / tasks;
    };
    return { received: perTask('received'), deleted: perTask('deleted') };
  } finally {
    client.destroy();
  }
}

async function meanItemBytes({ cloud, agent }: RehearsedStack): Promise<number> {
  const items = (await cloud.tables.scan(agent.tasksTable)).filter(({ sk }) => sk === TASK_SORT_KEY);
  return items.reduce((sum, item) => sum + itemBytes(item), 0) / items.length;
}

/** @param once text of a line that each task writes once, to the log of the function in question */
function logBytesPerTask({ cloud }: RehearsedStack, once: string): number {
  for (const group of cloud.logGroups()) {
    const lines = cloud.logLines(group).map(({ message }) => message);
    const tasks = lines.filter((line) => line.includes(once)).length;
    if (tasks > 0) {
      return lines.reduce((sum, line) => sum + Buffer.byteLength(line) + EVENT_OVERHEAD, 0) / tasks;
    }
  }
  throw new Error(`no log group has the line "${once}"`);
}
