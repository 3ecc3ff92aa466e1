import { drillScenario, type NamedDrill, type Variant, variant } from './drill-app';

/** A release that breaks one gate and no other, and what must take it back. */
interface Breach {
  readonly gate: string;
  readonly shows: string;
  readonly variant: Omit<Variant, 'name'>;
  /** Cloud seconds per real second. @default {@link SPEED} */
  readonly speed?: number;
}

/** The bake of four minutes takes twelve seconds: a busy machine is late by some of them, and a gate needs the others. */
const SPEED = 20;

/** Requests per real second: as many in a minute of the cloud as gates want to see. */
const RATE = 18;

const BREACHES: Readonly<Record<string, Breach>> = {
  'gate-cost': {
    gate: 'cost',
    shows: 'a release whose tasks cost half as much again is taken back by the cost gate',
    variant: { answer: { inputTokens: 1500 } },
  },
  'gate-latency': {
    gate: 'latency',
    shows: 'a release that takes five seconds for one task in ten is taken back by the latency gate',
    variant: { task: 'think long', answer: { latencyMs: 5_000 } },
    // Answers take real time: at the speed of the others the bake would be over when the first slow ones are there.
    speed: 15,
  },
  'gate-error-rate': {
    gate: 'errors',
    shows: 'a release that fails half of its tasks is taken back by the error gate',
    variant: { refusalRate: 0.5 },
  },
  'gate-tool-calls': {
    gate: 'toolCalls',
    shows: 'a release that calls its tool three times as often is taken back by the tool-call gate',
    variant: { answer: { text: '{"toolCalls": 3, "score": 0.9}' } },
  },
  'gate-quality': {
    gate: 'quality',
    shows: 'a release whose answers score 0.5 is taken back by the quality gate',
    variant: { answer: { text: '{"toolCalls": 1, "score": 0.5}' } },
  },
  'gate-custom': {
    gate: 'answerLength',
    shows: "a release that rambles is taken back by a gate on a metric of the user's choice",
    variant: { answer: { outputTokens: 200 } },
  },
};

/** One drill per kind of gate. */
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
      { speed: breach.speed ?? SPEED, ratePerSecond: RATE },
    ),
}));
