import { z } from 'zod';

const rate = (what: string) => z.number().min(0).max(1).optional().describe(`share, 0 to 1, of ${what}; default 0`);

/** How often what goes wrong. */
export const faultRatesSchema = z.strictObject({
  throttled: rate('the calls that a service refuses as too many, before it applies them; often several in a row'),
  failed: rate('the calls that a service answers with an internal error, half of them after it has applied them'),
  answersLost: rate('the calls that a service applies and whose connection is cut before the answer'),
  unanswered: rate('the calls that get no answer until the client times out, half of them applied'),
  delayed: rate('the calls that a service answers up to ten seconds late'),
  deliveriesDropped: rate('the batches of messages that are received and not delivered'),
  deliveriesDuplicated: rate('the batches of messages that two invocations get at the same time'),
  workersKilled: rate('the invocations of workers, or messages that they receive, whose process is killed'),
  workersFrozen: rate(
    'the invocations of workers, or messages that they receive, whose process is frozen for longer than a lease',
  ),
  workersStopped: rate(
    'the messages that workers in containers receive whose task is stopped (SIGTERM) while it works on them',
  ),
  heartbeatsHeld: rate('the renewals of leases that the service delays for longer than a lease'),
});
export type FaultRates = z.infer<typeof faultRatesSchema>;
export type FaultKind = keyof FaultRates;

/** What each kind of fault does, for people. */
export const FAULT_KINDS: Readonly<Record<FaultKind, string>> = {
  throttled: 'calls refused as too many',
  failed: 'calls answered with an internal error, applied or not',
  answersLost: 'calls applied whose answer was lost',
  unanswered: 'calls, applied or not, that timed out',
  delayed: 'calls answered late',
  deliveriesDropped: 'deliveries received and not delivered',
  deliveriesDuplicated: 'deliveries given to two invocations at once',
  workersKilled: 'workers killed at work',
  workersFrozen: 'workers frozen for longer than a lease',
  workersStopped: 'workers stopped while they work',
  heartbeatsHeld: 'heartbeats delayed for longer than a lease',
};
