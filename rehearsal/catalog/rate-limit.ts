import type { Scenario } from '../drill/scenario/scenario';
import type { NamedDrill } from './drill-app';

/**
 * Cloud seconds per real second, and calls per cloud minute: three calls per real second. Even a busy machine can make several
 * times as many, so the limit and not the machine bounds the calls.
 */
const SPEED = 3;
const PER_MINUTE = 60;

/** Enough for eight workers with two more tasks each. More waiting tasks would retry more often, which costs time too. */
const MAX_WAITING = 24;

export const rateLimit: NamedDrill = {
  name: 'rate-limit',
  shows:
    'eight workers share a rate limit of the provider: it is never exceeded, nearly all of it is used, and no task fails because of it',
  scenario: async (): Promise<Scenario> => ({
    name: 'rate-limit',
    app: 'node --import tsx examples/drill-agent/app.ts',
    speed: SPEED,
    traffic: { users: 40, tasks: 180, ratePerSecond: 14, maxQueuedTasks: MAX_WAITING, inputs: [{ text: 'note it' }] },
    secrets: [{ name: '*ProviderKey*', value: 'drill' }],
    provider: {
      rules: [{ name: 'good', answer: { text: '{"toolCalls": 1, "score": 0.9}', inputTokens: 100, latencyMs: 200 } }],
    },
    // Tolerance of 6 % and one call: see docs/limits.md.
    rateLimit: {
      callsPerMinute: PER_MINUTE,
      maxCallsPerMinute: Math.floor(PER_MINUTE * 1.06) + 1,
      minUtilization: 0.9,
    },
    releases: [{ name: 'good', context: { variant: 'good', requestsPerMinute: PER_MINUTE }, expected: 'promoted' }],
  }),
};
