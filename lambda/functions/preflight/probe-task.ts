import { randomBytes } from 'node:crypto';
import { digestOf, type TaskRecord } from '../../../lib/contract';

/** Probes are of no interest once judged; kept for a while for those who look into a failed deployment. */
const KEPT_SECONDS = 24 * 60 * 60;

/** User under whose name probes run. */
export const PROBE_USER = 'preflight';

/** A probe for the candidate lane. The agent brings its own input for probes, so there is none here. */
export function newProbe(agent: string, now: number): TaskRecord {
  return {
    id: `t-${randomBytes(16).toString('hex')}`,
    agent,
    status: 'queued',
    mode: 'probe',
    lane: 'candidate',
    priority: 'high',
    user: PROBE_USER,
    requestDigest: digestOf({ probe: agent }),
    input: null,
    createdAt: now,
    attempts: 0,
    expiresAt: Math.ceil(now / 1000) + KEPT_SECONDS,
  };
}
