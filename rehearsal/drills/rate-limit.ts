import type { Scenario } from '../drill/scenario';
import type { NamedDrill } from './drill-app';

/** Cloud seconds per real second. Answers take real time: so eight workers ask for more than the limit. */
const SPEED = 4;
const PER_MINUTE = 120;

export const rateLimit: NamedDrill = {
  name: 'rate-limit',
  shows:
    'eight workers share a limit of the provider: never exceeded, nearly all of it used, and no task fails of waiting',
  scenario: async (): Promise<Scenario> => ({
    name: 'rate-limit',
    app: 'node --import tsx examples/drill-agent/app.ts',
    speed: SPEED,
    traffic: { users: 40, tasks: 360, ratePerSecond: 14, maxWaiting: 50, inputs: [{ text: 'note it' }] },
    secrets: [{ name: '*ProviderKey*', value: 'drill' }],
    provider: {
      rules: [{ name: 'good', answer: { text: '{"toolCalls": 1, "score": 0.9}', inputTokens: 100, latencyMs: 500 } }],
    },
    // 6 % above, and a call: see docs/limits.md.
    limit: { perMinute: PER_MINUTE, most: Math.floor(PER_MINUTE * 1.06) + 1, leastUsed: 0.9 },
    releases: [{ name: 'good', context: { variant: 'good', requestsPerMinute: PER_MINUTE }, expected: 'promoted' }],
  }),
};
