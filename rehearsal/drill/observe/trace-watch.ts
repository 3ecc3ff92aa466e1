import { z } from 'zod';
import type { TaskRecord } from '../../../lib/contract';
import type { TraceHistory } from '../report/history';

const ROOT = /Root=(1-[0-9a-f]{8}-[0-9a-f]{24})/;

/** A log line of the router with the trace of a request. */
const intakeLineSchema = z.looseObject({ component: z.literal('router'), task: z.string(), traceId: z.string() });

const documentSchema = z.looseObject({
  id: z.string(),
  trace_id: z.string(),
  parent_id: z.string().optional(),
  annotations: z.record(z.string(), z.unknown()).optional(),
});
type Document = z.infer<typeof documentSchema>;

/** The parts of a cloud with traces. */
export interface TracedCloud {
  resources(): readonly { readonly type: string }[];
  logGroups(): readonly string[];
  logLines(logGroup: string): readonly { readonly message: string }[];
  traces(): readonly { readonly id: string; readonly documents: readonly unknown[] }[];
}

/**
 * Whether each task is one trace: from the request in the router's log, through the trace header in the task's record, to the
 * segments of its attempts with their model and tool calls. Calls are not checked for agents in containers, which may make
 * them without segments.
 */
export function tracesOf(cloud: TracedCloud, tasks: readonly TaskRecord[]): TraceHistory {
  const accepted = rootsByTask(cloud);
  const documents = cloud.traces().flatMap((trace) => trace.documents.map((one) => documentSchema.parse(one)));
  const children = groups(documents, ({ parent_id }) => parent_id);
  const segments = groups(documents, ({ annotations = {} }) => annotations.task);
  const inContainers = cloud.resources().some(({ type }) => type === 'AWS::ECS::Service');
  const mismatched: string[] = [];
  const incomplete: string[] = [];
  const checked = tasks.filter((task) => task.startedAt !== undefined && task.trace !== undefined);
  for (const task of checked) {
    const root = ROOT.exec(task.trace ?? '')?.[1] ?? 'none';
    const acceptedRoots = accepted.get(task.id) ?? new Set([root]);
    const own = segments.get(task.id) ?? [];
    for (const seen of new Set([root, ...own.map(({ trace_id }) => trace_id)])) {
      if (!acceptedRoots.has(seen)) {
        mismatched.push(`${task.id} was accepted under ${[...acceptedRoots].join(', ')} and ran under ${seen}`);
      }
    }
    const { modelCalls = 0, toolCalls = 0 } = inContainers ? {} : (task.usage ?? {});
    // An attempt that waited for the provider's rate limit counted its call without making it.
    const expected = modelCalls + toolCalls - (task.uncounted ?? 0);
    const calls = own.flatMap(({ id }) => descendants(id, children)).filter(isCall).length;
    if (own.length === 0 || calls < expected) {
      incomplete.push(`${task.id}: ${calls} of ${expected} calls, ${own.length} attempts`);
    }
  }
  return { checked: checked.length, mismatched, incomplete };
}

/** Task → root trace ids of its requests: more than one if a caller repeated the request. */
function rootsByTask(cloud: TracedCloud): ReadonlyMap<string, ReadonlySet<string>> {
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
