import {
  ControlKey,
  envelopeSchema,
  type PromotedItem,
  promotedItemSchema,
  SORT_KEY,
  TASK_SORT_KEY,
  TaskMetric,
  type TaskRecord,
  taskRecordSchema,
} from '../../../lib/contract';
import type { RehearsalCloud, StackResourceView } from '../../cloud';
import type { ScriptedProvider } from '../../provider';
import type { Destruction, DrillHistory } from '../report/history';
import type { AgentUnderTest } from '../scenario/agent-under-test';
import { sumOf } from './observed-metrics';
import type { OperatorAccess } from './operator-access';

/** Task records of callers in the tasks table, without probes. */
export async function liveTasks(cloud: RehearsalCloud, agent: AgentUnderTest): Promise<readonly TaskRecord[]> {
  const items = await cloud.tables.scan(agent.tasksTable);
  return items
    .filter((item) => item[SORT_KEY] === TASK_SORT_KEY)
    .map((item) => taskRecordSchema.parse(item))
    .filter((task) => task.mode === 'live');
}

/** The promoted item of the control table. */
export async function promotedItem(cloud: RehearsalCloud, agent: AgentUnderTest): Promise<PromotedItem | undefined> {
  const items = await cloud.tables.scan(agent.controlTable);
  const item = items.find(({ pk, sk }) => pk === ControlKey.promoted.pk && sk === ControlKey.promoted.sk);
  return item === undefined ? undefined : promotedItemSchema.parse(item);
}

type StackObservations = Pick<
  DrillHistory,
  | 'resultsWritten'
  | 'deadLetters'
  | 'recordedReleases'
  | 'authorization'
  | 'refusedCalls'
  | 'alarms'
  | 'provider'
  | 'malformedMetricLines'
>;

/** Observations that are possible only while the stack exists. */
export async function observe(
  cloud: RehearsalCloud,
  provider: ScriptedProvider,
  access: OperatorAccess,
  agent: AgentUnderTest | undefined,
  since: number,
): Promise<StackObservations> {
  const control = agent === undefined ? [] : await cloud.tables.scan(agent.controlTable);
  const matched = provider.counts().reduce((sum, { requests }) => sum + requests, 0);
  const unmatched = provider.unmatched();
  return {
    resultsWritten:
      agent === undefined ? undefined : await sumOf(TaskMetric.FINISHED, access, agent.name, since, cloud.clock.now()),
    deadLetters: agent === undefined ? [] : deadTasks(cloud, agent),
    recordedReleases: control.flatMap(({ pk, sk }) => {
      const id = /^RELEASE#(.+)$/.exec(String(pk))?.[1];
      return id !== undefined && sk === ControlKey.release(id).sk ? [id] : [];
    }),
    authorization: cloud.iam.statistics(),
    refusedCalls: cloud.refusedCalls(),
    alarms: cloud
      .alarms()
      .map(({ name, hadData, metricsWithoutData = [] }) => ({ name, hadData, silent: metricsWithoutData })),
    provider: { requests: matched + unmatched, unmatched },
    malformedMetricLines: cloud.malformedMetricLines(),
  };
}

/** Task ids in the dead-letter queues of the lanes. An unreadable message is represented by its text. */
function deadTasks(cloud: RehearsalCloud, { queues }: AgentUnderTest): readonly string[] {
  const lanes = new Set(Object.values(queues).flatMap((urls) => Object.values(urls)));
  const dead = new Set(cloud.queues().flatMap(({ url, deadLetterArn }) => (lanes.has(url) ? [deadLetterArn] : [])));
  return cloud
    .queues()
    .filter(({ arn }) => dead.has(arn))
    .flatMap(({ name }) => cloud.messagesIn(name))
    .map((body) => {
      const envelope = envelopeSchema.safeParse(JSON.parse(body));
      return envelope.success ? envelope.data.taskId : `unreadable: ${body.slice(0, 80)}`;
    });
}

/** Destroys the stack, and lists what is left. Its buckets are emptied first, as CloudFormation requires. */
export async function destroyStack(cloud: RehearsalCloud, stackName: string): Promise<Destruction> {
  cloud.buckets.empty(stackName);
  const { status, retained, failures } = await cloud.destroy(stackName);
  const kept = new Set(retained.map(({ physicalId }) => physicalId));
  const queues = cloud.queues().filter(({ name, arn, url }) => ![name, arn, url].some((id) => kept.has(id)));
  const tables = cloud.tables.names().filter((name) => !kept.has(name));
  const buckets = cloud.buckets.names().filter((name) => !kept.has(name));
  return {
    completed: status === 'DELETE_COMPLETE',
    failures: failures.map(({ path, reason }) => `${path}: ${reason}`),
    leftovers: [
      ...queues.map(({ name }) => `queue ${name}`),
      ...tables.map((name) => `table ${name}`),
      ...buckets.map((name) => `bucket ${name}`),
    ],
    retained: retained.map(({ path }) => path),
  };
}

/** `Runtime` of the functions, each value once. */
export function runtimesOf(resources: readonly Pick<StackResourceView, 'type' | 'properties'>[]): readonly string[] {
  const runtimes = resources
    .filter(({ type }) => type === 'AWS::Lambda::Function')
    .map(({ properties: { Runtime } }) => Runtime)
    .filter((runtime) => typeof runtime === 'string');
  return [...new Set(runtimes)].sort();
}
