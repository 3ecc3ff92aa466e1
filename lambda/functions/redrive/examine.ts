import { type Envelope, envelopeSchema, FINAL_STATUSES, type LaneName, type TaskRecord } from '../../../lib/contract';
import type { DeadLetter } from './dead-letters';
import type { DeadEntry, Fate, RedriveFilter } from './protocol';

/** Longest error message in an answer, in characters: answers are limited to 6 MB. */
const MAX_MESSAGE = 300;

/** A message of a dead-letter queue, joined with what is known of its task. */
export interface Found {
  readonly letter: DeadLetter;
  /** Absent: the message cannot be read. */
  readonly envelope?: Envelope;
  /** Absent: there is no record. */
  readonly task?: TaskRecord;
  /** Why the record could not be read, if there is one. */
  readonly unreadable?: string;
}

/** The envelope in a message, or undefined if there is none, or one of another agent. */
export function envelopeIn(body: string, agent: string): Envelope | undefined {
  let content: unknown;
  try {
    content = JSON.parse(body);
  } catch {
    return undefined;
  }
  const parsed = envelopeSchema.safeParse(content);
  return parsed.success && parsed.data.agent === agent ? parsed.data : undefined;
}

/** What `redrive` does with it, and why if it does not send it back. */
export function fateOf(
  { envelope, task, unreadable }: Found,
  now: number,
): { readonly fate: Fate; readonly reason?: string } {
  if (envelope === undefined) {
    return { fate: 'leave', reason: 'the message is none that this release of the library can read' };
  }
  if (unreadable !== undefined) {
    return { fate: 'leave', reason: `the record of the task cannot be read: ${shorten(unreadable)}` };
  }
  if (task === undefined) {
    return { fate: 'remove', reason: 'there is no record of the task: it has expired' };
  }
  if (task.mode !== 'live') {
    return { fate: 'remove', reason: `it is a ${task.mode}, whose result no caller waits for any more` };
  }
  if (!FINAL_STATUSES.includes(task.status)) {
    // An outage took its message away before the task could end: it has to end, late or not.
    return { fate: 'redrive' };
  }
  if (task.status !== 'failed' || task.exhausted !== true) {
    return { fate: 'remove', reason: `the task has ended: ${task.status}` };
  }
  if (task.deadlineAt !== undefined && task.deadlineAt <= now) {
    return { fate: 'remove', reason: `the task's deadline is over since ${iso(task.deadlineAt)}` };
  }
  return { fate: 'redrive' };
}

/** Whether the task matches the filter. An unknown property of a task matches no condition on it. */
export function fits({ letter, envelope, task }: Found, filter: RedriveFilter, now: number): boolean {
  const { lane, priority, code, release, user, task: ids, olderThanSeconds } = filter;
  const endedAt = task?.finishedAt ?? task?.createdAt;
  return (
    (lane === undefined || letter.lane === lane) &&
    (priority === undefined || envelope?.priority === priority) &&
    (user === undefined || envelope?.user === user) &&
    (ids === undefined || (envelope !== undefined && ids.includes(envelope.taskId))) &&
    (code === undefined || task?.error?.code === code) &&
    (release === undefined || task?.release === release) &&
    (olderThanSeconds === undefined || (endedAt !== undefined && now - endedAt >= olderThanSeconds * 1_000))
  );
}

/** The entry of what was found and not acted upon. */
export function entryOf(found: Found, now: number): DeadEntry {
  const { letter, envelope, task } = found;
  return {
    lane: letter.lane,
    message: letter.messageId,
    ...(envelope === undefined ? {} : { task: envelope.taskId, priority: envelope.priority, user: envelope.user }),
    ...(task === undefined ? {} : knownOf(task)),
    ...fateOf(found, now),
    done: false,
  };
}

function knownOf(task: TaskRecord): Partial<DeadEntry> {
  const { status, error, release, attempts, redrives, createdAt, finishedAt } = task;
  return {
    status,
    ...(error === undefined ? {} : { error: { code: error.code, message: shorten(error.message) } }),
    release,
    attempts,
    redrives,
    createdAt: iso(createdAt),
    ...(finishedAt === undefined ? {} : { finishedAt: iso(finishedAt) }),
  };
}

function shorten(message: string): string {
  return message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE - 1)}…` : message;
}

function iso(time: number): string {
  return new Date(time).toISOString();
}

/** Lanes whose dead-letter queues have to be read. */
export function lanesOf({ lane }: RedriveFilter, all: readonly LaneName[]): readonly LaneName[] {
  return lane === undefined ? all : [lane];
}
