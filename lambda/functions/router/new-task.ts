import { randomBytes } from 'node:crypto';
import { DAY_SECONDS, digestOf, type LaneName, type TaskRecord } from '../../../lib/contract';
import type { Submission } from './submission';

/**
 * Id of the task: from the idempotency key, so that a repeat meets the first one's record at once; else random. The user
 * is part of it: no user can meet, or guess, another user's task by choosing the same key.
 */
export function taskIdOf(agent: string, { user, idempotencyKey }: Submission): string {
  return idempotencyKey === undefined
    ? `t-${randomBytes(16).toString('hex')}`
    : `t-${digestOf([agent, user, idempotencyKey]).slice(0, 32)}`;
}

/** Digest of what was asked for. How it was asked (key, trace) is not part of it. */
export function requestDigestOf({ input, user, session, priority, timeoutSeconds, webhook }: Submission): string {
  return digestOf({ input, user, session, priority, timeoutSeconds, webhook });
}

/** Where the input of a task is: in its record, or in the payload bucket. */
export type StoredInput = Pick<TaskRecord, 'input'> | Required<Pick<TaskRecord, 'inputRef'>>;

export interface NewTaskOptions {
  readonly id: string;
  readonly agent: string;
  readonly submission: Submission;
  /** See {@link requestDigestOf}. */
  readonly requestDigest: string;
  readonly stored: StoredInput;
  readonly lane: LaneName;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly retentionDays: number;
}

/** The record of a new task. */
export function newTask({
  id,
  agent,
  submission: { user, session, priority, timeoutSeconds, webhook },
  requestDigest,
  stored,
  lane,
  now,
  retentionDays,
}: NewTaskOptions): TaskRecord {
  const deadlineAt = timeoutSeconds === undefined ? undefined : now + timeoutSeconds * 1000;
  return {
    id,
    agent,
    status: 'queued',
    mode: 'live',
    lane,
    priority,
    user,
    session,
    requestDigest,
    ...stored,
    createdAt: now,
    ...(deadlineAt === undefined ? {} : { deadlineAt }),
    ...(webhook === undefined ? {} : { webhook }),
    attempts: 0,
    // A task may wait until its deadline: its record must not go before it.
    expiresAt: Math.ceil((deadlineAt ?? now) / 1000) + retentionDays * DAY_SECONDS,
  };
}
