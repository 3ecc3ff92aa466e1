import type { Scenario } from '../drill/scenario/scenario';
import type { NamedDrill } from './drill-app';

/**
 * Cloud seconds per real second, and calls in a minute of the cloud: three in a real second. A busy machine has to do several
 * times as much, or it is the machine that holds the calls back and not the limit.
 */
const SPEED = 3;
const PER_MINUTE = 60;

/** Enough for eight workers to have one each, and two to come. A task that waits asks again and again, which costs time too. */
const MAX_WAITING = 24;

export const rateLimit: NamedDrill = {
  name: 'rate-limit',
  shows:
    'eight workers share a limit of the provider: never exceeded, nearly all of it used, and no task fails of waiting',
  scenario: async (): Promise<Scenario> => ({
    name: 'rate-limit',
    app: 'node --import tsx examples/drill-agent/app.ts',
    speed: SPEED,
    traffic: { users: 40, tasks: 180, ratePerSecond: 14, maxQueuedTasks: MAX_WAITING, inputs: [{ text: 'note it' }] },
    secrets: [{ name: '*ProviderKey*', value: 'drill' }],
    provider: {
      rules: [{ name: 'good', answer: { text: '{"toolCalls": 1, "score": 0.9}', inputTokens: 100, latencyMs: 200 } }],
    },
    // 6 % above, and a call: see docs/limits.md.
    rateLimit: {
      callsPerMinute: PER_MINUTE,
      maxCallsPerMinute: Math.floor(PER_MINUTE * 1.06) + 1,
      minUtilization: 0.9,
    },
    releases: [{ name: 'good', context: { variant: 'good', requestsPerMinute: PER_MINUTE }, expected: 'promoted' }],
  }),
};
