import { type App, Stack } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import {
  AgentEnvironment,
  AgentService,
  FargateCapacity,
  type FargateWorkerOptions,
  LogLevel,
  WorkerSpec,
} from '../../../lib';
import { testModel } from '../../support/agent-folder';
import { AGENT_ENTRY, AGENT_FOLDER } from '../../support/agent-service';
import { testApp } from '../../support/stack';
import { named, type Resources, resourcesOf } from '../../support/template';
import { containersOf, environmentOf } from '../worker/fargate/support';

const REASON = 'staging has a tenth of the users of production';
const production = (standbyWorkers?: number) =>
  AgentEnvironment.production({
    model: testModel(),
    limits: { maxCost: 0.25 },
    standbyWorkers,
  });
const development = () => AgentEnvironment.development({ model: testModel(), limits: { maxCost: 0.01 } });

function add(app: App, environment: AgentEnvironment, worker: FargateWorkerOptions = {}): Stack {
  const stack = new Stack(app, environment.name);
  const secret = `arn:aws:secretsmanager:us-east-1:123456789012:secret:${environment.name}-AbCdEf`;
  new AgentService(stack, 'Support', {
    environment,
    behavior: environment.behavior(AGENT_FOLDER),
    worker: WorkerSpec.fargate({ entry: AGENT_ENTRY, ...worker }),
    secrets: { anthropic: Secret.fromSecretCompleteArn(stack, 'Key', secret) },
  });
  return stack;
}

const service = (app: App, environment: AgentEnvironment, worker?: FargateWorkerOptions): Resources =>
  resourcesOf(add(app, environment, worker));

const leastOf = (resources: Resources, lane: string) =>
  resources[named(resources, `SupportWorker${lane}Scaling`)]?.Properties?.MinCapacity;

/** Workers that the first task starts. */
function firstStart(resources: Resources): number | undefined {
  const policy = resources[named(resources, 'SupportWorkerStableScalingOut')]?.Properties
    ?.StepScalingPolicyConfiguration as { StepAdjustments: { ScalingAdjustment: number }[] } | undefined;
  return policy?.StepAdjustments[1]?.ScalingAdjustment;
}

test('production keeps two workers for its users, and none for a candidate without users', () => {
  const resources = service(testApp(), production());
  expect(leastOf(resources, 'Stable')).toBe(2);
  expect(leastOf(resources, 'Candidate')).toBe(0);
  expect(firstStart(resources)).toBe(2);
});

test('production can do without, if it says so itself', () => {
  const resources = service(testApp(), production(0));
  expect(leastOf(resources, 'Stable')).toBe(0);
  expect(firstStart(resources)).toBe(2);
});

test('refuses a worker in production that says otherwise', () => {
  expect(() => service(testApp(), production(), { scaling: { min: 1 } })).toThrow(
    /ConflictingEnvironment: scaling\.min of the worker must be at least 2, the minimum of the environment, got 1; .*standbyWorkers/,
  );
});

test('development starts from none, and with one', () => {
  const resources = service(testApp(), development());
  expect(leastOf(resources, 'Stable')).toBe(0);
  expect(firstStart(resources)).toBe(1);
});

test('the worker logs as the environment says', () => {
  const resources = service(testApp(), development());
  for (const lane of ['stable', 'candidate']) {
    expect(environmentOf(containersOf(resources, lane).worker)).toMatchObject({
      POWERTOOLS_LOG_LEVEL: LogLevel.DEBUG,
    });
  }
});

describe('staging', () => {
  const both = (
    inStaging: Partial<FargateWorkerOptions>,
    inProduction: Partial<FargateWorkerOptions>,
    accept: Record<string, string> = {},
  ) => {
    const app = testApp();
    const live = production();
    add(app, live, inProduction);
    add(app, AgentEnvironment.staging(live, { accept }), inStaging);
    return app;
  };

  test('is as production', () => {
    expect(() => both({ scaling: { max: 20 } }, { scaling: { max: 20 } }).synth()).not.toThrow();
  });

  test.each<[string, Partial<FargateWorkerOptions>, Partial<FargateWorkerOptions>]>([
    ['service.worker.scaling.max', { scaling: { max: 4 } }, { scaling: { max: 20 } }],
    ['service.worker.capacity', { capacity: FargateCapacity.spot() }, { capacity: FargateCapacity.mix() }],
    ['service.worker.concurrency', { concurrency: 2 }, { concurrency: 10 }],
  ])('refuses another %s, unless it is accepted with a reason', (name, inStaging, inProduction) => {
    const printed = jest.spyOn(console, 'error').mockReturnValue(undefined);
    expect(() => both(inStaging, inProduction).synth()).toThrow(
      new RegExp(`UnacceptedDifference: ${name.replaceAll('.', '\\.')} is`),
    );
    expect(() => both(inStaging, inProduction, { [name]: REASON }).synth()).not.toThrow();
    printed.mockRestore();
  });
});
