import { randomBytes } from 'node:crypto';
import { digestOf, type LaneName, type TaskRecord } from '../../lib/contract';
import type { Submission } from './submission';

const DAY_SECONDS = 24 * 60 * 60;

/**
 * Id of the task: from the idempotency key, so that a repeat meets the first one's record at once; else random. The user
 * is part of it: nobody can meet, or guess, another user's task by choosing the same key.
 */
export function taskIdOf(agent: string, { user, idempotencyKey }: Submission): string {
  return idempotencyKey === undefined
    ? `t-${randomBytes(16).toString('hex')}`
    : `t-${digestOf([agent, user, idempotencyKey]).slice(0, 32)}`;
}

/** Digest of what was asked for. How it was asked (key, trace) is not part of it. */
export function requestDigestOf({ input, user, session, priority }: Submission): string {
  return digestOf({ input, user, session, priority });
}

/** The record of a new task. `now` in milliseconds since 1970. */
export function newTask(
  agent: string,
  submission: Submission,
  lane: LaneName,
  now: number,
  retentionDays: number,
): TaskRecord {
  const { input, user, session, priority } = submission;
  return {
    id: taskIdOf(agent, submission),
    agent,
    status: 'queued',
    mode: 'live',
    lane,
    priority,
    user,
    ...(session === undefined ? {} : { session }),
    requestDigest: requestDigestOf(submission),
    input: input as TaskRecord['input'],
    createdAt: now,
    attempts: 0,
    expiresAt: Math.ceil(now / 1000) + retentionDays * DAY_SECONDS,
  };
}
