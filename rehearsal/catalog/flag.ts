import type { Scenario, ScenarioRelease } from '../drill/scenario/scenario';
import { drillScenario, type NamedDrill } from './drill-app';

export const flag: NamedDrill = {
  name: 'flag',
  shows: 'a flag that is turned on for 20 % of the users, and makes their tasks fail, is taken back by its alarm',
  scenario: async (): Promise<Scenario> => ({
    ...drillScenario(
      'flag',
      [
        turnedOn('off', 0, { expected: 'promoted', traffic: { minShare: 0.3 } }),
        turnedOn('on-for-20-percent', 20, {
          expected: 'rolled_back',
          cause: { reason: 'in ALARM' },
          traffic: { minShare: 0.3 },
        }),
        // What was taken back leaves the stack as it was, and nobody behind.
        turnedOn('off-again', 0, { expected: 'promoted', expectNoChanges: true, traffic: { minShare: 0.4 } }),
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
function turnedOn(name: string, percent: number, release: Omit<ScenarioRelease, 'name' | 'context'>): ScenarioRelease {
  return { name, context: { variant: 'good', carefulPercent: percent }, ...release };
}
