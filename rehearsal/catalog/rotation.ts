import type { Scenario } from '../drill/scenario/scenario';
import type { NamedDrill } from './drill-app';

/** Cloud seconds per real second: the grace period of ten minutes takes twenty real seconds, a lease four. */
const SPEED = 30;

/** One key for the rotation before the traffic, and one for each rotation during it. */
const POOL = ['sk-drill-pool-1-5f0c1', 'sk-drill-pool-2-77ab3', 'sk-drill-pool-3-c94d8', 'sk-drill-pool-4-e2160'];
const ADMIN_KEY = 'sk-drill-admin-90d4e';

/** Keys of a pool and of service accounts rotate under load, without effect on any task. */
export const rotation: NamedDrill = {
  name: 'rotation',
  shows: 'keys rotate while 1,000 tasks run, one is revoked while it is in use, and no task fails',
  scenario: async (): Promise<Scenario> => ({
    name: 'rotation',
    app: 'node --import tsx examples/drill-agent/app.ts',
    speed: SPEED,
    traffic: {
      users: 40,
      tasks: 1_000,
      // Three rotations with their grace periods take a minute.
      ratePerSecond: 18,
      inputs: [{ text: 'note it' }],
    },
    provider: {
      rules: [{ name: 'good', answer: { text: '{"toolCalls": 1, "score": 0.9}', inputTokens: 100, outputTokens: 20 } }],
    },
    secrets: [
      { name: '*/KeyPool/*', value: JSON.stringify(POOL) },
      { name: '*/AdminKey/*', value: ADMIN_KEY },
    ],
    rotation: {
      secrets: ['*/ProviderKey/Secret/*', '*/OpenAiKey/Secret/*'],
      count: POOL.length - 1,
      graceSeconds: 600,
      poolKeys: POOL,
      adminKey: ADMIN_KEY,
      project: 'proj_drill',
    },
    releases: [{ name: 'good', context: { variant: 'good', rotation: true }, expected: 'promoted' }],
  }),
};
