import { z } from 'zod';
import type { TaskRecord } from '../../../lib/contract';
import type { TraceHistory } from '../report/history';

const ROOT = /Root=(1-[0-9a-f]{8}-[0-9a-f]{24})/;

/** A line in which the router says under which trace a request came in. */
const intakeLineSchema = z.looseObject({ component: z.literal('router'), task: z.string(), traceId: z.string() });

const documentSchema = z.looseObject({
  id: z.string(),
  trace_id: z.string(),
  parent_id: z.string().optional(),
  annotations: z.record(z.string(), z.unknown()).optional(),
});
type Document = z.infer<typeof documentSchema>;

/** What a cloud keeps of traces. */
export interface TracedCloud {
  resources(): readonly { readonly type: string }[];
  logGroups(): readonly string[];
  logLines(logGroup: string): readonly { readonly message: string }[];
  traces(): readonly { readonly id: string; readonly documents: readonly unknown[] }[];
}

/**
 * Whether each task is one trace: from the request that the router logged, through the message whose header the worker
 * wrote into the record, to the segments of its attempts and the model and tool calls in them. An agent in a container of
 * its own may make calls that it only tells of; they are not looked for where there are containers.
 */
export function tracesOf(cloud: TracedCloud, tasks: readonly TaskRecord[]): TraceHistory {
  const accepted = rootsAtIntake(cloud);
  const documents = cloud.traces().flatMap((trace) => trace.documents.map((one) => documentSchema.parse(one)));
  const children = groups(documents, ({ parent_id }) => parent_id);
  const segments = groups(documents, ({ annotations = {} }) => annotations.task);
  const inContainers = cloud.resources().some(({ type }) => type === 'AWS::ECS::Service');
  const astray: string[] = [];
  const incomplete: string[] = [];
  const judged = tasks.filter((task) => task.startedAt !== undefined && task.trace !== undefined);
  for (const task of judged) {
    const root = ROOT.exec(task.trace ?? '')?.[1] ?? 'none';
    const came = accepted.get(task.id) ?? new Set([root]);
    const own = segments.get(task.id) ?? [];
    for (const seen of new Set([root, ...own.map(({ trace_id }) => trace_id)])) {
      if (!came.has(seen)) {
        astray.push(`${task.id} was accepted under ${[...came].join(', ')} and ran under ${seen}`);
      }
    }
    const { modelCalls = 0, toolCalls = 0 } = inContainers ? {} : (task.usage ?? {});
    // An attempt that had to wait for the provider's limit counted its call, and did not make it.
    const made = modelCalls + toolCalls - (task.uncounted ?? 0);
    const calls = own.flatMap(({ id }) => descendants(id, children)).filter(isCall).length;
    if (own.length === 0 || calls < made) {
      incomplete.push(`${task.id}: ${calls} of ${made} calls, ${own.length} attempts`);
    }
  }
  return { judged: judged.length, astray, incomplete };
}

/** Task → roots of the traces of the requests for it: more than one where a caller repeated its request. */
function rootsAtIntake(cloud: TracedCloud): ReadonlyMap<string, ReadonlySet<string>> {
  const roots = new Map<string, Set<string>>();
  for (const group of cloud.logGroups()) {
    for (const { message } of cloud.logLines(group)) {
      const line = message.includes('"router"') ? intakeLineSchema.safeParse(parse(message)).data : undefined;
      if (line !== undefined) {
        roots.set(line.task, (roots.get(line.task) ?? new Set()).add(line.traceId));
      }
    }
  }
  return roots;
}

function groups(documents: readonly Document[], keyOf: (one: Document) => unknown): ReadonlyMap<string, Document[]> {
  const found = new Map<string, Document[]>();
  for (const document of documents) {
    const key = keyOf(document);
    if (typeof key === 'string') {
      const group = found.get(key) ?? [];
      group.push(document);
      found.set(key, group);
    }
  }
  return found;
}

function descendants(id: string, children: ReadonlyMap<string, readonly Document[]>): readonly Document[] {
  return (children.get(id) ?? []).flatMap((child) => [child, ...descendants(child.id, children)]);
}

function isCall({ annotations = {} }: Document): boolean {
  return 'model' in annotations || 'tool' in annotations;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
