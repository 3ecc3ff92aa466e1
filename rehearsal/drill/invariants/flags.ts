import {
  type FlagsDocument,
  type FlagValue,
  flagsDocumentSchema,
  flagValueFor,
  type TaskRecord,
} from '../../../lib/contract';
import type { DrillHistory } from '../report/history';
import { type Invariant, judge, plural } from './invariant';

/** A worker asks for the flags so often, jitter included; on a busy machine one call may come to nothing. Cloud milliseconds. */
const POLL_MS = 2 * 18_000;
/** A call, and the worker's way from reading a flag to writing it down. Real milliseconds. */
const CALL_MS = 2_000;

/** A document, and when callers may have got it. Cloud milliseconds since 1970. */
interface ServedDocument {
  readonly document: FlagsDocument;
  readonly from: number;
  readonly to: number;
}

/** When each document was served, be it to some callers or to all: a complete one until the next one is complete. */
function servedDocuments({ flagDeployments = [] }: DrillHistory): readonly ServedDocument[] {
  return flagDeployments.map((deployment, index) => {
    const next = flagDeployments.slice(index + 1).find(({ state }) => state === 'COMPLETE');
    const complete = deployment.state === 'COMPLETE';
    return {
      document: flagsDocumentSchema.parse(JSON.parse(deployment.content)),
      from: deployment.startedAt,
      to: (complete ? next?.endedAt : deployment.endedAt) ?? Number.POSITIVE_INFINITY,
    };
  });
}

/** Values that the flag may have had for the task, by every document that its worker may have had. */
function explained(served: readonly ServedDocument[], speed: number, name: string, task: TaskRecord): Set<FlagValue> {
  const since = task.createdAt - POLL_MS - CALL_MS * speed;
  const until = task.finishedAt ?? Number.POSITIVE_INFINITY;
  return new Set(
    served.flatMap(({ document, from, to }) => {
      const flag = document[name];
      return flag === undefined || from > until || to < since ? [] : [flagValueFor(name, flag, task.user)];
    }),
  );
}

export const flagsFollowTheirShares: Invariant = {
  name: 'flags-follow-shares',
  promise:
    'a task meets the variant of a flag only if its user is in the share that was deployed then, and nobody once it is taken back',
  check: (history) => {
    const served = servedDocuments(history);
    const broken: string[] = [];
    const met = new Map<string, Set<string>>();
    for (const task of history.tasks) {
      for (const [name, value] of Object.entries(task.flags ?? {})) {
        const key = `${name}=${value}`;
        met.set(key, (met.get(key) ?? new Set()).add(task.user));
        const allowed = explained(served, history.speed, name, task);
        if (!allowed.has(value)) {
          broken.push(`${task.id} of ${task.user} met ${key}, expected ${[...allowed].join(' or ') || 'no such flag'}`);
        }
      }
    }
    // Nothing is shown by a share that nobody was seen in.
    for (const { document } of served) {
      for (const [name, { percent, variant }] of Object.entries(document)) {
        if (percent > 0 && !met.has(`${name}=${variant}`)) {
          broken.push(`${percent} % of the users were to meet ${name}=${variant}, and no task did`);
        }
      }
    }
    const users = [...met].map(([key, { size }]) => `${key} met by ${plural(size, 'user')}`);
    return judge(broken, users.join(', ') || 'no task read a flag');
  },
};
