import * as fc from 'fast-check';
import { type FaultKind, FaultPlan, type FaultSettings } from '../../../rehearsal/chaos';
import { ResponseLost } from '../../../rehearsal/core/faults';
import { type Call, ServiceError } from '../../../rehearsal/core/service';
import { ManualClock } from '../../support/manual-clock';

const LEASE_MS = 90_000;

function settings(rates: FaultSettings['rates'], more: Partial<FaultSettings> = {}): FaultSettings {
  return {
    rates,
    functions: new Set(['worker', 'router']),
    workers: new Set(['worker']),
    leaseMs: LEASE_MS,
    isHeartbeat: (_service, call) => call.input.heartbeat === true,
    ...more,
  };
}

function call(operation = 'UpdateItem', label = 'worker', input: Call['input'] = {}): Call {
  const principal = { kind: 'role' as const, arn: `arn:${label}`, label };
  return { operation, input, principal, signal: new AbortController().signal, headers: {} };
}

/** What became of one call: `fine`, the code of its error, or `lost`, and whether it was applied. */
async function outcomeOf(plan: FaultPlan, given: Call, service = 'dynamodb'): Promise<string> {
  let applied = false;
  const run = async () => {
    applied = true;
  };
  const how = await plan.aroundCall(service, given, run).then(
    () => 'fine',
    (error: unknown) =>
      error instanceof ServiceError ? error.code : error instanceof ResponseLost ? 'lost' : `${error}`,
  );
  return `${how}${applied ? ', applied' : ''}`;
}

async function outcomes(plan: FaultPlan, count: number, given = call()): Promise<string[]> {
  const all: string[] = [];
  for (let n = 0; n < count; n++) {
    all.push(await outcomeOf(plan, given));
  }
  return all;
}

function planOf(rates: FaultSettings['rates'], seed = 1, clock = new ManualClock()): FaultPlan {
  const plan = new FaultPlan(clock, seed);
  plan.begin(settings(rates));
  return plan;
}

describe('the fault plan', () => {
  test('the same seed decides the same at each place, whatever happens at other places in between', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 1_000_000 }),
        fc.array(fc.constantFrom('GetItem', 'PutItem', 'Query'), { maxLength: 30 }),
        async (seed, between) => {
          const rates = { throttled: 0.2, failed: 0.2, answersLost: 0.2 };
          const alone = await outcomes(planOf(rates, seed), 20);
          const crowded = planOf(rates, seed);
          const seen: string[] = [];
          for (let n = 0; n < 20; n++) {
            for (const operation of between.slice(n, n + 2)) {
              await outcomeOf(crowded, call(operation));
            }
            seen.push(await outcomeOf(crowded, call()));
          }
          expect(seen).toEqual(alone);
        },
      ),
      { numRuns: 20 },
    );
  });

  test('the suffix that CloudFormation gives a function changes nothing', async () => {
    const named = async (name: string) => {
      const plan = new FaultPlan(new ManualClock(), 1);
      plan.begin(settings({ failed: 0.3, throttled: 0.1 }, { functions: new Set([name]) }));
      return { outcomes: await outcomes(plan, 40, call('PutItem', name)), report: plan.report() };
    };
    expect(await named('Stack-Worker-ABCDEF012345')).toEqual(await named('Stack-Worker-Z9Y8X7W6V5U4'));
  });

  test('other seeds decide otherwise', async () => {
    const rates = { throttled: 0.3, answersLost: 0.3 };
    expect(await outcomes(planOf(rates, 1), 40)).not.toEqual(await outcomes(planOf(rates, 2), 40));
  });

  test('the share of calls that are met is the rate', async () => {
    const all = await outcomes(planOf({ answersLost: 0.1 }), 2_000);
    const lost = all.filter((outcome) => outcome === 'lost, applied').length;
    expect(lost).toBeGreaterThan(140);
    expect(lost).toBeLessThan(260);
    expect(all.filter((outcome) => outcome === 'fine, applied')).toHaveLength(2_000 - lost);
  });

  test('throttled calls are not applied, get the codes of their service, and come in rows that outlast a client', async () => {
    const all = await outcomes(planOf({ throttled: 0.05 }), 2_000);
    expect(new Set(all)).toEqual(
      new Set(['fine, applied', 'ThrottlingException', 'ProvisionedThroughputExceededException']),
    );
    const rows = all
      .map((outcome) => (outcome.startsWith('fine') ? ' ' : 'x'))
      .join('')
      .split(' ');
    expect(Math.max(...rows.map((row) => row.length))).toBeGreaterThan(3);
    expect(await outcomeOf(planOf({ throttled: 1 }), call('PutObject'), 's3')).toBe('SlowDown');
  });

  test('calls that fail were applied or not', async () => {
    const all = await outcomes(planOf({ failed: 1 }), 100);
    expect(new Set(all)).toEqual(new Set(['InternalServerError', 'InternalServerError, applied']));
  });

  test('a call that gets no answer was applied or not, and lasts until its client is gone', async () => {
    const plan = planOf({ unanswered: 1 });
    const all: string[] = [];
    for (let n = 0; n < 40; n++) {
      const client = new AbortController();
      const one = outcomeOf(plan, { ...call(), signal: client.signal });
      const first = await Promise.race([one, new Promise((resolve) => setImmediate(() => resolve('silence')))]);
      expect(first).toBe('silence');
      client.abort();
      all.push(await one);
    }
    expect(new Set(all)).toEqual(new Set(['lost', 'lost, applied']));
    expect(plan.report().byKind).toEqual({ unanswered: 40 });
  });

  test('a heartbeat is held back for longer than a lease, other calls are not', async () => {
    const clock = new ManualClock();
    const plan = planOf({ heartbeatsHeld: 1 }, 1, clock);
    expect(await outcomeOf(plan, call())).toBe('fine, applied');
    let done = false;
    const beat = outcomeOf(plan, call('UpdateItem', 'worker', { heartbeat: true })).then(() => {
      done = true;
    });
    await clock.advance(LEASE_MS);
    expect(done).toBe(false);
    await clock.advance(LEASE_MS);
    await beat;
    expect(plan.report().byKind).toEqual({ heartbeatsHeld: 1 });
  });

  test('processes of workers are killed, or stand still for longer than a lease', () => {
    expect(planOf({ workersKilled: 1 }).processFault('worker', '{}')).toMatchObject({ kind: 'killed' });
    const frozen = planOf({ workersFrozen: 1 }).processFault('worker', '{}');
    expect(frozen).toMatchObject({ kind: 'frozen' });
    expect(frozen?.kind === 'frozen' && frozen.forMs).toBeGreaterThan(LEASE_MS);
    expect(planOf({ workersKilled: 1, workersFrozen: 1 }).processFault('router', '{}')).toBeUndefined();
  });

  test('tasks of services are killed, stand still, or are told to stop, and functions are not told', () => {
    expect(planOf({ workersKilled: 1, workersStopped: 1 }).taskFault('worker', '{}')).toMatchObject({ kind: 'killed' });
    expect(planOf({ workersFrozen: 1 }).taskFault('worker', '{}')).toMatchObject({ kind: 'frozen' });
    expect(planOf({ workersStopped: 1 }).taskFault('worker', '{}')).toMatchObject({ kind: 'stopped' });
    expect(planOf({ workersStopped: 1 }).processFault('worker', '{}')).toBeUndefined();
    const plan = planOf({});
    plan.recordInjected({ kind: 'stopped', afterMs: 1 }, 'worker-ABCDEFGHIJKL', '{}');
    expect(plan.report().byTarget).toEqual({ workersStopped: { worker: 1 } });
  });

  test('what is to be left in peace is', () => {
    const plan = new FaultPlan(new ManualClock(), 1);
    plan.begin(settings({ workersStopped: 1 }, { isExempt: (event) => event.includes('probe') }));
    expect([plan.isExempt('a probe'), plan.isExempt('work')]).toEqual([true, false]);
    expect(plan.taskFault('worker', 'a probe')).toBeUndefined();
    expect(plan.taskFault('worker', 'work')).toBeDefined();
  });

  test('meets no other caller, and nothing before it begins and after it ends', async () => {
    const everything: Record<FaultKind, number> = {
      throttled: 1,
      failed: 1,
      answersLost: 1,
      unanswered: 1,
      delayed: 1,
      deliveriesDropped: 1,
      deliveriesDuplicated: 1,
      workersKilled: 1,
      workersFrozen: 1,
      workersStopped: 1,
      heartbeatsHeld: 1,
    };
    const plan = new FaultPlan(new ManualClock(), 1);
    const quiet = async (label: string) => {
      expect(await outcomeOf(plan, call('UpdateItem', label))).toBe('fine, applied');
      expect(plan.deliveryFault(label)).toBeUndefined();
      expect(plan.processFault(label, '{}')).toBeUndefined();
      expect(plan.taskFault(label, '{}')).toBeUndefined();
    };
    await quiet('worker');
    plan.begin(settings(everything));
    await quiet('recorder');
    expect(plan.deliveryFault('worker')).toBe('dropped');
    plan.end();
    await quiet('worker');
    expect(plan.report()).toEqual({
      injected: 1,
      byKind: { deliveriesDropped: 1 },
      byTarget: { deliveriesDropped: { worker: 1 } },
    });
  });
});
