import type { Scenario } from '../drill/scenario/scenario';
import type { NamedDrill } from './drill-app';

/** US dailyDollars: fifty tasks. Up to twelve more may run while the last one that fits is being counted. */
const DOLLARS = 0.05;
const MAX_DOLLARS = 0.08;

export const budget: NamedDrill = {
  name: 'budget',
  shows: "an agent's daily budget is used up: its alarm fires at 80 %, then tasks are refused with the reason",
  scenario: async (): Promise<Scenario> => ({
    name: 'budget',
    app: 'node --import tsx examples/drill-agent/app.ts',
    speed: 20,
    traffic: { users: 20, tasks: 150, ratePerSecond: 8, inputs: [{ text: 'note it' }] },
    secrets: [{ name: '*ProviderKey*', value: 'drill' }],
    provider: {
      rules: [{ name: 'good', answer: { text: '{"toolCalls": 1, "score": 0.9}', inputTokens: 1_000, latencyMs: 10 } }],
    },
    budget: { dailyDollars: DOLLARS, maxDollars: MAX_DOLLARS },
    releases: [{ name: 'good', context: { variant: 'good', agentPerDay: DOLLARS }, expected: 'promoted' }],
  }),
};
