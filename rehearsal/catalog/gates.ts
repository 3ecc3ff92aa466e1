import { drillScenario, type NamedDrill, type Variant, variant } from './drill-app';

/** A release that makes exactly one gate fire. */
interface Breach {
  readonly gate: string;
  readonly shows: string;
  readonly variant: Omit<Variant, 'name'>;
  /** Cloud seconds per real second. @default {@link SPEED} */
  readonly speed?: number;
}

/** The bake time of four minutes takes twelve real seconds, so that a busy machine still leaves a gate enough data. */
const SPEED = 20;

/** Requests per real second: enough per cloud minute for the minimum sample count of gates. */
const RATE_PER_SECOND = 18;

const BREACHES: Readonly<Record<string, Breach>> = {
  'gate-cost': {
    gate: 'cost',
    shows: 'the cost gate rolls back a release whose tasks cost 50 % more',
    variant: { answer: { inputTokens: 1500 } },
  },
  'gate-latency': {
    gate: 'latency',
    shows: 'the latency gate rolls back a release that takes five seconds for one task in ten',
    variant: { task: 'think long', answer: { latencyMs: 5_000 } },
    // Answers take real time: at a higher speed the bake time would end before the first slow answers arrive.
    speed: 15,
  },
  'gate-error-rate': {
    gate: 'errors',
    shows: 'the error gate rolls back a release that fails half of its tasks',
    variant: { refusalRate: 0.5 },
  },
  'gate-tool-calls': {
    gate: 'toolCalls',
    shows: 'the tool-call gate rolls back a release that calls its tool three times as often',
    variant: { answer: { text: '{"toolCalls": 3, "score": 0.9}' } },
  },
  'gate-quality': {
    gate: 'quality',
    shows: 'the quality gate rolls back a release whose answers score 0.5',
    variant: { answer: { text: '{"toolCalls": 1, "score": 0.5}' } },
  },
  'gate-custom': {
    gate: 'answerLength',
    shows: 'a gate on a custom metric rolls back a release with long answers',
    variant: { answer: { outputTokens: 200 } },
  },
};

/** One drill for each kind of gate. */
export const GATE_DRILLS: readonly NamedDrill[] = Object.entries(BREACHES).map(([name, breach]) => ({
  name,
  shows: breach.shows,
  scenario: async () =>
    drillScenario(
      name,
      [
        variant('good', { expected: 'promoted', traffic: { minShare: 0.5 } }),
        variant('broken', { expected: 'rolled_back', cause: { gate: breach.gate }, traffic: { minShare: 0.5 } }),
      ],
      [{ name: 'broken', ...breach.variant }],
      { speed: breach.speed ?? SPEED, ratePerSecond: RATE_PER_SECOND },
    ),
}));
