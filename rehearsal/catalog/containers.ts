import type { Scenario, ScenarioRelease, Traffic } from '../drill/scenario/scenario';
import { chaos } from './chaos';
import { FAST, type NamedDrill } from './drill-app';
import { defaultDrill } from './rollouts';

const SUPPORT_APP = 'node --import tsx examples/fargate-agent/app.ts';
const DRILL_APP = 'node --import tsx examples/drill-agent/app.ts';

/** Cloud seconds per real second: the stop timeout of two minutes takes three real seconds. */
const SPEED = 40;

const SECRETS: Scenario['secrets'] = [{ name: '*ProviderKey*', value: 'drill' }];

/** Answers the agent of the chaos drill, whose executions are logged. */
const PROVIDER: Scenario['provider'] = {
  rules: [
    {
      name: 'good',
      match: { messages: { regex: '\\[execution t-[0-9a-f]{32} ([\\w:@-]+)\\]' } },
      answer: { text: '{"execution": "{{1}}", "score": 0.9}', latencyMs: { min: 5, max: 40 } },
    },
  ],
};

/** The default drill, with workers in containers. */
export const fargate: NamedDrill = {
  name: 'fargate',
  shows:
    'the default drill with workers on Fargate: a good release is promoted, a regressed one is rolled back, an improved one is promoted',
  scenario: async (): Promise<Scenario> => ({ ...(await defaultDrill.scenario()), name: 'fargate', app: SUPPORT_APP }),
};

/** The chaos drill, with workers in containers: several tasks are lost with a worker, or requeued by it. */
export const fargateChaos: NamedDrill = {
  name: 'fargate-chaos',
  shows: 'every task ends once while containers are killed, frozen and stopped, and calls fail',
  scenario: async (): Promise<Scenario> => {
    const scenario = await chaos.scenario();
    return {
      ...scenario,
      name: 'fargate-chaos',
      app: DRILL_APP,
      chaos: { ...scenario.chaos, workersKilled: 0.01, workersFrozen: 0.015, workersStopped: 0.02 },
      releases: scenario.releases.map((release) => withWorkers(release, { concurrency: 6, max: 4 })),
    };
  },
};

/**
 * Cloud seconds per real second, for a drill in which no lease may expire: a worker that a busy machine delays for up to two
 * seconds still renews its leases in time. The stop timeout of two minutes takes five real seconds.
 */
const DRAIN_SPEED = 25;

/** Twice as long as the stop timeout of a container. */
const LONG_TASKS: Traffic['inputs'] = [
  { steps: 18, stepMs: 500, tools: 1 },
  { steps: 30, stepMs: 300, tools: 2 },
];

/** Tasks that take longer than the stop timeout, during a deployment and while workers are stopped. */
export const drain: NamedDrill = {
  name: 'drain',
  shows: 'tasks longer than the stop timeout survive a deployment, and resume on another worker when theirs is stopped',
  scenario: async (): Promise<Scenario> => ({
    name: 'drain',
    app: DRILL_APP,
    speed: DRAIN_SPEED,
    traffic: { users: 20, tasks: 40, ratePerSecond: 1.5, maxQueuedTasks: 16, inputs: LONG_TASKS },
    secrets: SECRETS,
    provider: PROVIDER,
    workerStops: { count: 3, intervalSeconds: 120 },
    releases: ['first', 'second'].map((name) =>
      withWorkers({ name, context: { variant: name }, expected: 'promoted' }, { concurrency: 4, max: 4 }),
    ),
  }),
};

/** A lane scales from zero to its maximum number of workers, and back. */
export const scaling: NamedDrill = {
  name: 'scaling',
  shows: 'workers scale with the load from zero to the maximum and back to zero, and no busy worker is stopped',
  scenario: async (): Promise<Scenario> => ({
    name: 'scaling',
    app: DRILL_APP,
    speed: FAST,
    traffic: {
      users: 60,
      tasks: 300,
      ratePerSecond: 15,
      maxQueuedTasks: 40,
      inputs: [
        { steps: 3, stepMs: 300 },
        { steps: 5, stepMs: 200, tools: 2 },
      ],
    },
    secrets: SECRETS,
    provider: PROVIDER,
    scaling: { lane: 'stable', minWorkers: 2, maxWorkers: 6, maxSecondsToFirstWorker: 300 },
    releases: [
      withWorkers({ name: 'only', context: { variant: 'only' }, expected: 'promoted' }, { concurrency: 2, max: 6 }),
    ],
  }),
};

/** An agent in Python in its own container. The rehearsal runs it with the python3 of this machine. */
export const pythonAgent: NamedDrill = {
  name: 'python-agent',
  shows: 'rolls out an agent in Python without our library, in a container beside the worker (requires python3)',
  scenario: async (): Promise<Scenario> => ({
    name: 'python-agent',
    app: 'node --import tsx examples/python-agent/app.ts',
    speed: SPEED,
    traffic: {
      users: 20,
      tasks: 120,
      ratePerSecond: 6,
      maxQueuedTasks: 24,
      inputs: [
        { topic: 'containers', sources: ['the guide', 'a talk', 'two blogs'] },
        { topic: 'queues', sources: ['the manual'] },
      ],
    },
    secrets: SECRETS,
    provider: { rules: [{ name: 'report', answer: { text: 'All of them agree.', latencyMs: { min: 5, max: 40 } } }] },
    releases: [
      { name: 'first', expected: 'promoted', traffic: { minShare: 0.3 } },
      { name: 'quicker', context: { readSeconds: 0.05 }, expected: 'promoted' },
    ],
  }),
};

/** The release in containers, with an agent whose input says what it does. */
function withWorkers(
  { context, ...release }: ScenarioRelease,
  workers: { readonly concurrency: number; readonly max: number },
): ScenarioRelease {
  return { ...release, context: { ...context, fargate: 'work', ...workers } };
}
