import type { Scenario, Traffic } from '../drill/scenario/scenario';
import { type NamedDrill, variant } from './drill-app';

const APP = 'node --import tsx examples/drill-agent/app.ts';

/** Cloud seconds per real second: a lease lasts three real seconds, with one heartbeat per second. */
const SPEED = 40;

/** Inputs of the tasks. Each entry is equally likely; frequent kinds are repeated. */
const INPUTS: Traffic['inputs'] = [
  ...Array.from({ length: 8 }, () => ({ steps: 1 })),
  ...Array.from({ length: 4 }, () => ({ steps: 2, stepMs: 30, tools: 2 })),
  ...Array.from({ length: 2 }, () => ({ steps: 1, tools: 3, models: 2 })),
  // Longer than the heartbeat interval; one of them longer than a lease.
  { steps: 5, stepMs: 300 },
  { steps: 8, stepMs: 400 },
  // Input, result, or both too large for the task's item.
  { steps: 1, text: 'x'.repeat(40_000) },
  { steps: 1, resultBytes: 40_000 },
  { steps: 2, tools: 0, text: 'x'.repeat(200_000), resultBytes: 200_000 },
  { steps: 1, fate: 'fail' },
  { steps: 2, fate: 'retry' },
];

const ANSWER = { text: '{"execution": "{{1}}", "score": 0.9}', latencyMs: { min: 5, max: 40 } } as const;
const MODEL_CALL = '\\[execution t-[0-9a-f]{32} ([\\w:@-]+)\\]';

/** Injects all kinds of faults while one release is rolled back and another one promoted. */
export const chaos: NamedDrill = {
  name: 'chaos',
  shows: 'every task ends once and repeats no step while calls, deliveries and workers fail',
  scenario: async (): Promise<Scenario> => ({
    name: 'chaos',
    app: APP,
    speed: SPEED,
    traffic: {
      users: 60,
      tasks: 1_000,
      ratePerSecond: 30,
      maxQueuedTasks: 80,
      inputs: INPUTS,
      priorityWeights: { high: 2, normal: 6, low: 2 },
      duplicateShare: 0.05,
      cancelShare: 0.04,
      deadlines: { share: 0.05, seconds: { min: 20, max: 600 } },
      webhookShare: 0.1,
      readShare: 0.05,
    },
    chaos: {
      throttled: 0.01,
      failed: 0.01,
      answersLost: 0.01,
      unanswered: 0.002,
      delayed: 0.02,
      deliveriesDropped: 0.02,
      deliveriesDuplicated: 0.03,
      workersKilled: 0.03,
      workersFrozen: 0.015,
      heartbeatsHeld: 0.03,
    },
    secrets: [{ name: '*ProviderKey*', value: 'drill' }],
    provider: {
      rules: [
        {
          name: 'good',
          match: { messages: { regex: MODEL_CALL } },
          answer: ANSWER,
          errors: [
            { status: 429, rate: 0.01, retryAfterSeconds: 2 },
            { status: 529, rate: 0.01 },
          ],
        },
      ],
    },
    releases: [
      chaosRelease('good', { expected: 'promoted', traffic: { minShare: 0.25 } }),
      chaosRelease('unlucky', {
        expected: 'rolled_back',
        traffic: { minShare: 0.4 },
        faults: [{ resource: '*/PromotedRecord/*', operation: 'update', reason: 'the table is throttled' }],
      }),
      chaosRelease('better', { expected: 'promoted', traffic: { minShare: 0.35 } }),
    ],
  }),
};

function chaosRelease(name: string, release: Parameters<typeof variant>[1]): ReturnType<typeof variant> {
  const { context, ...rest } = variant(name, release);
  return { ...rest, context: { ...context, chaos: true } };
}
