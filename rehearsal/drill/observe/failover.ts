import type { ScriptedProvider } from '../../provider';
import type { DrillHistory } from '../report/history';
import type { Scenario } from '../scenario/scenario';

/** Calls that the provider received during an outage of the primary model, if the scenario has one. */
export function failoverOf({ failover }: Scenario, provider: ScriptedProvider): Pick<DrillHistory, 'failover'> {
  if (failover === undefined) {
    return {};
  }
  const { rule, model, maxFailures } = failover;
  const counts = provider.counts();
  return {
    failover: {
      model,
      maxFailures,
      failures: counts.find((count) => count.rule === rule)?.errors ?? 0,
      unusedRules: counts.filter(({ answers }) => answers === 0).map((count) => count.rule),
      fallbackAnswers: counts.filter((count) => count.rule !== rule).reduce((sum, { answers }) => sum + answers, 0),
    },
  };
}
