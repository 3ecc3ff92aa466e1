import type { Scenario } from '../drill/scenario/scenario';
import type { NamedDrill } from './drill-app';

/**
 * Cloud seconds per real second: a breaker is open for three minutes, which takes six seconds. Each worker tries a model that is
 * away so often, and a slow machine takes longer for the stretch below: it must not look like workers that try on and on.
 */
const SPEED = 30;

/** Requests, counted over all models, during which the primary is away. */
const AWAY = { from: 150, to: 500 };

/** Without a breaker two calls of every three of that stretch would go to the primary, and fail. */
const MAX_FAILURES = 120;

/** In place of a key. Nothing that the drill leaves may hold it. */
export const FAILOVER_KEY = 'sk-drill-failover-5e2d9';

const ANSWER = { text: '{"toolCalls": 1, "score": 0.9}', inputTokens: 100, outputTokens: 20, latencyMs: 10 } as const;

/** The primary is away for a stretch, and the first fallback has troubles of its own. */
export const failover: NamedDrill = {
  name: 'failover',
  shows:
    'the primary model answers 503 for a stretch: fallbacks answer, breakers open, half open, and it is used again',
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
          errors: [{ status: 503, rate: 1, during: AWAY }],
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
