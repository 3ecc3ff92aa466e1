import {
  type FlagsDocument,
  type FlagValue,
  flagsDocumentSchema,
  flagValueFor,
  type TaskRecord,
} from '../../../lib/contract';
import type { DrillHistory } from '../report/history';
import { findingOf, type Invariant, plural } from './invariant';

/** Two polls of a worker for its flags, with jitter: on a busy machine one call may fail. Cloud milliseconds. */
const POLL_MS = 2 * 18_000;
/** Time of a call, and from the read of a flag to its record. Real milliseconds. */
const CALL_MS = 2_000;

/** A document, and when callers may have received it. Cloud milliseconds since 1970. */
interface ServedDocument {
  readonly document: FlagsDocument;
  readonly from: number;
  readonly to: number;
}

/** When each document was served to any caller: a complete one until the next one is complete. */
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

/** Values that the flag may have had for the task, according to every document that its worker may have received. */
function possibleValues(
  served: readonly ServedDocument[],
  speed: number,
  name: string,
  task: TaskRecord,
): Set<FlagValue> {
  const since = task.createdAt - POLL_MS - CALL_MS * speed;
  const until = task.finishedAt ?? Number.POSITIVE_INFINITY;
  return new Set(
    served.flatMap(({ document, from, to }) => {
      const flag = document[name];
      return flag === undefined || from > until || to < since ? [] : [flagValueFor(name, flag, task.user)];
    }),
  );
}

export const flagsFollowShares: Invariant = {
  name: 'flags-follow-shares',
  promise:
    'a task gets the variant of a flag only if its user is in the share deployed at that time, and never after a rollback',
  check: (history) => {
    const served = servedDocuments(history);
    const broken: string[] = [];
    const met = new Map<string, Set<string>>();
    for (const task of history.tasks) {
      for (const [name, value] of Object.entries(task.flags ?? {})) {
        const key = `${name}=${value}`;
        met.set(key, (met.get(key) ?? new Set()).add(task.user));
        const allowed = possibleValues(served, history.speed, name, task);
        if (!allowed.has(value)) {
          broken.push(`${task.id} of ${task.user} got ${key}, expected ${[...allowed].join(' or ') || 'no such flag'}`);
        }
      }
    }
    // A share without any observed user would show nothing.
    for (const { document } of served) {
      for (const [name, { percent, variant }] of Object.entries(document)) {
        if (percent > 0 && !met.has(`${name}=${variant}`)) {
          broken.push(`${name}=${variant} was deployed to ${percent} % of the users, but no task got it`);
        }
      }
    }
    const users = [...met].map(([key, { size }]) => `${key} for ${plural(size, 'user')}`);
    return findingOf(broken, users.join(', ') || 'no task read a flag');
  },
};
