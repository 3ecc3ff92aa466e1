import type { Scenario } from '../drill/scenario/scenario';
import type { NamedDrill } from './drill-app';

/**
 * Cloud seconds per real second: a circuit breaker is open for three minutes, which takes six real seconds. Each worker retries
 * the primary once per period, so a slow machine, on which the outage lasts longer, must not exceed the maximum of failures.
 */
const SPEED = 30;

/** Requests, counted over all models, during which the primary is unavailable. */
const OUTAGE = { from: 150, to: 500 };

/** Without circuit breakers two thirds of the calls during the outage would go to the primary, and fail. */
const MAX_FAILURES = 120;

/** A fake key. It must not appear in anything that the drill writes. */
export const FAILOVER_KEY = 'sk-drill-failover-5e2d9';

const ANSWER = { text: '{"toolCalls": 1, "score": 0.9}', inputTokens: 100, outputTokens: 20, latencyMs: 10 } as const;

/** The primary has an outage, and the first fallback is throttled at times. */
export const failover: NamedDrill = {
  name: 'failover',
  shows:
    'the primary model answers 503 during an outage: fallbacks answer, circuit breakers open, and the primary is used again afterwards',
  scenario: async (): Promise<Scenario> => ({
    name: 'failover',
    app: 'node --import tsx examples/drill-agent/app.ts',
    speed: SPEED,
    traffic: {
      users: 40,
      tasks: 800,
      ratePerSecond: 25,
      inputs: [{ text: 'note it' }],
    },
    secrets: [{ name: '*Key*', value: FAILOVER_KEY }],
    provider: {
      rules: [
        {
          name: 'primary',
          match: { provider: 'anthropic' },
          answer: ANSWER,
          errors: [{ status: 503, rate: 1, during: OUTAGE }],
        },
        {
          name: 'first fallback',
          match: { provider: 'openai' },
          answer: ANSWER,
          errors: [{ status: 429, rate: 0.4, retryAfterSeconds: 0 }],
        },
        { name: 'second fallback', match: { provider: 'bedrock' }, answer: ANSWER },
      ],
    },
    failover: { rule: 'primary', model: 'claude-haiku-4-5-20251001', maxFailures: MAX_FAILURES },
    releases: [{ name: 'good', context: { variant: 'good', failover: true }, expected: 'promoted' }],
  }),
};
