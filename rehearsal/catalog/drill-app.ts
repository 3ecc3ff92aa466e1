import type { Scenario, ScenarioRelease, Traffic } from '../drill/scenario/scenario';
import type { ProviderRule } from '../provider';

/** A drill of the repository. */
export interface NamedDrill {
  readonly name: string;
  /** What it shows, in one line. */
  readonly shows: string;
  scenario(): Promise<Scenario>;
}

/** Synthesizes examples/drill-agent, from the folder of the package. */
const APP = 'node --import tsx examples/drill-agent/app.ts';

/** Cloud seconds per real second: the bake time of four minutes takes eight real seconds. */
const SPEED = 30;

/** For drills that need no gate data. */
export const FAST = 60;

const TRAFFIC: Traffic = {
  users: 40,
  tasks: 60,
  ratePerSecond: 25,
  inputs: [
    ...Array.from({ length: 9 }, (_, n) => ({ text: `note it in line ${n + 1}` })),
    { text: 'think long, then note it' },
  ],
  duplicateShare: 0.05,
};

/** Answer of the provider for a release without a defect. */
const GOOD = { text: '{"toolCalls": 1, "score": 0.9}', inputTokens: 1000, outputTokens: 20, latencyMs: 10 } as const;

/** How the provider answers one variant of the drill agent. */
export interface Variant extends Omit<ProviderRule, 'name' | 'match'> {
  readonly name: string;
  /** Text of the tasks to which the answer applies, for example "think long" for one in ten. @default - all tasks */
  readonly task?: string;
}

/** A release of the drill agent. */
export function variant(name: string, release: Omit<ScenarioRelease, 'name' | 'context'>): ScenarioRelease {
  return { name, context: { variant: name }, ...release };
}

/**
 * A scenario with the drill agent. A variant without a description has no defect.
 *
 * @param options.brokenProbe whether the faults of the variants also apply to the preflight's probe
 */
export function drillScenario(
  name: string,
  releases: readonly ScenarioRelease[],
  variants: readonly Variant[] = [],
  {
    brokenProbe = false,
    speed = SPEED,
    ratePerSecond = TRAFFIC.ratePerSecond,
  }: { readonly brokenProbe?: boolean; readonly speed?: number; readonly ratePerSecond?: number } = {},
): Scenario {
  return {
    name,
    app: APP,
    speed,
    traffic: { ...TRAFFIC, ratePerSecond },
    secrets: [{ name: '*ProviderKey*', value: 'drill' }],
    provider: {
      rules: [
        ...(brokenProbe ? [] : [{ name: 'probe', match: { messages: 'Task: probe' }, answer: GOOD }]),
        ...variants.map(({ answer, task, ...rule }) => ({
          ...rule,
          match: { messages: { regex: `variant ${rule.name}\\.[^]*Task: ${task ?? ''}` } },
          answer: { ...GOOD, ...answer },
        })),
        { name: 'good', answer: GOOD },
      ],
    },
    releases: [...releases],
  };
}
