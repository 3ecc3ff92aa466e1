import type { Scenario, Traffic } from '../drill/scenario/scenario';
import { type NamedDrill, variant } from './drill-app';

const APP = 'node --import tsx examples/drill-agent/app.ts';

/** Cloud seconds per real second. A lease lasts three real seconds then, and a heartbeat comes each second. */
const SPEED = 40;

/** What tasks are like: a list with repeats, for each is as likely as the next. */
const INPUTS: Traffic['inputs'] = [
  ...Array.from({ length: 8 }, () => ({ steps: 1 })),
  ...Array.from({ length: 4 }, () => ({ steps: 2, stepMs: 30, tools: 2 })),
  ...Array.from({ length: 2 }, () => ({ steps: 1, tools: 3, models: 2 })),
  // Longer than heartbeats, one of them longer than a lease.
  { steps: 5, stepMs: 300 },
  { steps: 8, stepMs: 400 },
  // Too large for the task's item: in, out, and both.
  { steps: 1, text: 'x'.repeat(40_000) },
  { steps: 1, resultBytes: 40_000 },
  { steps: 2, tools: 0, text: 'x'.repeat(200_000), resultBytes: 200_000 },
  { steps: 1, fate: 'fail' },
  { steps: 2, fate: 'retry' },
];

const ANSWER = { text: '{"execution": "{{1}}", "score": 0.9}', latencyMs: { min: 5, max: 40 } } as const;
const CALL = '\\[execution t-[0-9a-f]{32} ([\\w:@-]+)\\]';

/** Everything goes wrong that may go wrong, while a release is taken back and another one promoted. */
export const chaos: NamedDrill = {
  name: 'chaos',
  shows: 'tasks come to one end each, and do nothing twice, while calls, deliveries and workers fail all around them',
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
          match: { messages: { regex: CALL } },
          answer: ANSWER,
          errors: [
            { status: 429, rate: 0.01, retryAfterSeconds: 2 },
            { status: 529, rate: 0.01 },
          ],
        },
      ],
    },
    releases: [
      chaotic('good', { expected: 'promoted', traffic: { minShare: 0.25 } }),
      chaotic('unlucky', {
        expected: 'rolled_back',
        traffic: { minShare: 0.4 },
        faults: [{ resource: '*/PromotedRecord/*', operation: 'update', reason: 'the table is throttled' }],
      }),
      chaotic('better', { expected: 'promoted', traffic: { minShare: 0.35 } }),
    ],
  }),
};

function chaotic(name: string, release: Parameters<typeof variant>[1]): ReturnType<typeof variant> {
  const { context, ...rest } = variant(name, release);
  return { ...rest, context: { ...context, chaos: true } };
}
