import type { Scenario, ScenarioRelease } from '../drill/scenario/scenario';
import { drillScenario, type NamedDrill } from './drill-app';

export const flag: NamedDrill = {
  name: 'flag',
  shows: 'a flag is deployed to 20 % of the users, makes their tasks fail, and is rolled back by its alarm',
  scenario: async (): Promise<Scenario> => ({
    ...drillScenario(
      'flag',
      [
        withFlag('off', 0, { expected: 'promoted', traffic: { minShare: 0.3 } }),
        withFlag('on-for-20-percent', 20, {
          expected: 'rolled_back',
          cause: { reason: 'in ALARM' },
          traffic: { minShare: 0.3 },
        }),
        // The rollback restored the stack, and no user still has the variant.
        withFlag('off-again', 0, { expected: 'promoted', expectNoChanges: true, traffic: { minShare: 0.4 } }),
      ],
      [{ name: 'good', task: 'careful', refusalRate: 1 }],
    ),
    traffic: {
      users: 80,
      tasks: 300,
      ratePerSecond: 25,
      inputs: Array.from({ length: 9 }, (_, n) => ({ text: `note it in line ${n + 1}` })),
    },
  }),
};

/** The same release under a flag with another share. */
function withFlag(name: string, percent: number, release: Omit<ScenarioRelease, 'name' | 'context'>): ScenarioRelease {
  return { name, context: { variant: 'good', carefulPercent: percent }, ...release };
}
