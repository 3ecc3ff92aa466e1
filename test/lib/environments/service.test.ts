import { type App, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Annotations, Match, Template } from 'aws-cdk-lib/assertions';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import {
  AgentEnvironment,
  AgentService,
  type AgentServiceProps,
  Behavior,
  Budgets,
  IntakeAuth,
  LogLevel,
  QualityGate,
  Transcripts,
  Webhooks,
  WorkerSpec,
} from '../../../lib';
import { testModel } from '../../support/agent-folder';
import { AGENT_ENTRY, AGENT_FOLDER } from '../../support/agent-service';
import { testApp } from '../../support/stack';
import { resourcesOf } from '../../support/template';

const REASON = 'the partner has a test system of its own, with other data';
const LIMITS = { maxCost: 0.25 };
const production = () => AgentEnvironment.production({ model: testModel(), limits: LIMITS });

/** The one definition of the agent, for whatever environment. */
function service(app: App, environment: AgentEnvironment, props: Partial<AgentServiceProps> = {}, id = 'Support') {
  const stack = new Stack(app, `${environment.name}${id}`);
  const secret = `arn:aws:secretsmanager:us-east-1:123456789012:secret:${environment.name}-AbCdEf`;
  return new AgentService(stack, id, {
    environment,
    behavior: environment.behavior(AGENT_FOLDER),
    worker: WorkerSpec.lambda({ entry: AGENT_ENTRY }),
    secrets: { anthropic: Secret.fromSecretCompleteArn(stack, 'Key', secret) },
    ...props,
  });
}

interface Replica {
  readonly DeletionProtectionEnabled?: boolean;
}

/** What of the template an environment decides. */
function decided(agent: AgentService) {
  const resources = Object.values(resourcesOf(Stack.of(agent)));
  const of = (type: string) => resources.filter(({ Type }) => Type === type);
  const one = (values: readonly unknown[]) => [...new Set(values.map((value) => JSON.stringify(value)))];
  return {
    logLevels: one(
      of('AWS::Lambda::Function').map(
        ({ Properties }) =>
          (Properties?.Environment as { Variables?: Record<string, unknown> })?.Variables?.POWERTOOLS_LOG_LEVEL,
      ),
    ),
    logRetention: one(of('AWS::Logs::LogGroup').map(({ Properties }) => Properties?.RetentionInDays)),
    logs: one(of('AWS::Logs::LogGroup').map(({ DeletionPolicy }) => DeletionPolicy)),
    tables: one(of('AWS::DynamoDB::GlobalTable').map(({ DeletionPolicy }) => DeletionPolicy)),
    protection: one(
      of('AWS::DynamoDB::GlobalTable').map(
        ({ Properties }) => (Properties as { Replicas: Replica[] }).Replicas[0]?.DeletionProtectionEnabled,
      ),
    ),
    buckets: one(of('AWS::S3::Bucket').map(({ DeletionPolicy }) => DeletionPolicy)),
    metadata: Template.fromStack(Stack.of(agent)).toJSON().Metadata?.AgentLanesEnvironments,
  };
}

describe('the template', () => {
  test('of production keeps everything and logs what happens', () => {
    expect(decided(service(testApp(), production(), { agentName: 'support' }))).toEqual({
      logLevels: ['"INFO"'],
      logRetention: ['90'],
      logs: ['"RetainExceptOnCreate"'],
      tables: ['"Retain"'],
      protection: ['true'],
      buckets: ['"Retain"'],
      metadata: { support: { environment: 'production', accepted: {} } },
    });
  });

  test('of staging is the same except for the accepted differences, which are in it with their reasons', () => {
    const accept = { removalPolicy: REASON, deletionProtection: REASON };
    const options = { removalPolicy: RemovalPolicy.DESTROY, deletionProtection: false, accept };
    const staging = AgentEnvironment.staging(production(), options);
    expect(decided(service(testApp(), staging, { agentName: 'support' }))).toEqual({
      logLevels: ['"INFO"'],
      logRetention: ['90'],
      logs: ['"Delete"'],
      tables: ['"Delete"'],
      protection: ['false'],
      buckets: ['"Delete"'],
      metadata: { support: { environment: 'staging', accepted: accept } },
    });
  });

  test('of development leaves nothing behind and says everything', () => {
    const development = AgentEnvironment.development({ model: testModel(), limits: { maxCost: 0.02 } });
    expect(decided(service(testApp(), development, { agentName: 'support' }))).toEqual({
      logLevels: ['"DEBUG"'],
      logRetention: ['7'],
      logs: ['"Delete"'],
      tables: ['"Delete"'],
      protection: ['false'],
      buckets: ['"Delete"'],
      metadata: { support: { environment: 'development', accepted: {} } },
    });
  });

  test('has the task retention of the environment', () => {
    const environment = AgentEnvironment.production({ model: testModel(), taskRetention: Duration.days(3) });
    const { worker } = service(testApp(), environment);
    Template.fromStack(Stack.of(worker)).hasResourceProperties('AWS::Lambda::Function', {
      Description: 'Runs the tasks of an agent',
      Environment: { Variables: { AGENT_LANES_TASK_RETENTION_DAYS: '3' } },
    });
  });

  test('has the budgets and the rate limits of the environment', () => {
    const budgets = Budgets.perDay({ agent: 50 });
    const rateLimits = { anthropic: { requestsPerMinute: 60 } };
    const agent = service(testApp(), AgentEnvironment.production({ model: testModel(), budgets, rateLimits }));
    Template.fromStack(Stack.of(agent)).hasResourceProperties('AWS::Lambda::Function', {
      Description: 'Runs the tasks of an agent',
      Environment: {
        Variables: {
          AGENT_LANES_RATE_LIMITS: JSON.stringify(rateLimits),
          AGENT_LANES_BUDGETS: Match.stringLikeRegexp('"agentPerDay":50'),
        },
      },
    });
  });

  test('an agent in a sandbox is another release, for its tools alone', () => {
    const app = testApp();
    const digests = [undefined, [] as string[]].map((liveTools, index) => {
      const environment = AgentEnvironment.development({
        model: testModel(),
        limits: LIMITS,
        ...(liveTools === undefined ? { liveTools: ['search'] } : { liveTools }),
      });
      return service(app, environment, {}, `Support${index}`).release.componentDigests;
    });
    const [live, sandboxed] = digests;
    expect(Object.keys(live ?? {}).filter((name) => live?.[name] !== sandboxed?.[name])).toEqual(['tools']);
  });

  test('staging and production are the same release, at other levels of the log as well', () => {
    const app = testApp();
    const loud = AgentEnvironment.production({ model: testModel(), limits: LIMITS, logLevel: LogLevel.DEBUG });
    const [first, second, third] = [production(), AgentEnvironment.staging(production()), loud].map(
      (environment, index) => service(app, environment, {}, `Support${index}`).release.releaseId,
    );
    expect(second).toBe(first);
    expect(third).toBe(first);
  });
});

describe('a service that says other than its environment', () => {
  const bounded = AgentEnvironment.production({
    model: testModel(),
    limits: LIMITS,
    budgets: Budgets.perDay({ agent: 50 }),
    rateLimits: { anthropic: { requestsPerMinute: 60 } },
  });
  const refused = (props: Partial<AgentServiceProps>) => () => service(testApp(), bounded, props);

  test.each<[string, Partial<AgentServiceProps>, RegExp]>([
    [
      'removal policy',
      { removalPolicy: RemovalPolicy.DESTROY },
      /removalPolicy is "destroy" in the service and "retain" in environment/,
    ],
    [
      'task retention',
      { taskRetention: Duration.days(2) },
      /taskRetention is 2 days in the service and 30 days in environment/,
    ],
    [
      'log retention of the intake',
      { intake: { logRetention: RetentionDays.ONE_DAY } },
      /intake\.logRetention of the service: logRetention is 1 in the service and 90/,
    ],
    [
      'log retention of the worker',
      { worker: WorkerSpec.lambda({ entry: AGENT_ENTRY, logRetention: RetentionDays.ONE_DAY }) },
      /logRetention is 1 days in the options of WorkerSpec\.lambda and 90 days/,
    ],
    ['budget', { budgets: Budgets.perDay({ agent: 5 }) }, /budgets\.agent is 5 in the service and 50 in environment/],
    [
      'rate limit',
      { rateLimits: { anthropic: { requestsPerMinute: 9 } } },
      /rateLimits\.anthropic\.requestsPerMinute is 9 in the service and 60 in environment/,
    ],
    [
      'log level',
      { worker: WorkerSpec.lambda({ entry: AGENT_ENTRY, environment: { POWERTOOLS_LOG_LEVEL: 'DEBUG' } }) },
      /POWERTOOLS_LOG_LEVEL of the worker is DEBUG, and logLevel is INFO/,
    ],
    [
      'limit',
      { behavior: Behavior.fromDirectory(AGENT_FOLDER, { model: testModel(), limits: { maxCost: 1 } }) },
      /limits\.maxCost is 1 in the behavior and 0\.25 in the environment/,
    ],
    [
      'set of tools that run for real',
      { behavior: Behavior.fromDirectory(AGENT_FOLDER, { model: testModel(), limits: LIMITS, liveTools: [] }) },
      /sandboxedTools is \[.+\] in the behavior and \[\] in the environment/,
    ],
  ])('is refused for its %s', (_, props, message) => {
    expect(refused(props)).toThrow(message);
    expect(refused(props)).toThrow(
      /ConflictingEnvironment.*"production"|ConflictingEnvironment.*environment of the service/,
    );
  });

  test('is taken when it says the same', () => {
    const same = { removalPolicy: RemovalPolicy.RETAIN, taskRetention: Duration.days(30) };
    expect(refused(same)).not.toThrow();
  });
});

describe('the services of staging and production', () => {
  /** What the synthesis of both would fail with; nothing if it would not. */
  function complaints(
    props: Partial<AgentServiceProps>,
    accept: Record<string, string> = {},
    inProduction: Partial<AgentServiceProps> = {},
  ): string {
    const app = testApp();
    const live = production();
    service(app, live, inProduction);
    return service(app, AgentEnvironment.staging(live, { accept }), props).node.validate().join('\n');
  }

  test('may differ in data and users', () => {
    const props = {
      agentName: 'support-staging',
      intake: { auth: IntakeAuth.jwt('https://id.example.com/', ['staging']) },
      webhooks: Webhooks.signed({ privateHosts: ['hooks.staging.internal'] }),
    };
    expect(complaints(props, {}, { agentName: 'support', webhooks: Webhooks.signed() })).toBe('');
  });

  test.each<[string, Partial<AgentServiceProps>, string]>([
    ['service.maxAttempts', { maxAttempts: 2 }, 'service.maxAttempts is 2 in staging and not set in production'],
    ['service.maxInFlightPerUser', { maxInFlightPerUser: 2 }, 'service.maxInFlightPerUser is 2'],
    [
      'service.transcripts',
      { transcripts: Transcripts.record({ retention: Duration.days(1) }) },
      'service.transcripts.retention is 1 day',
    ],
    ['service.intake.rateLimit', { intake: { rateLimit: 5 } }, 'service.intake.rateLimit is 5'],
    [
      'service.intake.backpressure.low',
      { intake: { backpressure: { low: Duration.minutes(2) } } },
      'service.intake.backpressure.low is 120 s',
    ],
    [
      'service.gates',
      { gates: { cost: QualityGate.cost({ maxIncrease: 0.9 }) } },
      'service.gates.cost.maxIncrease is 0.9',
    ],
    [
      'service.worker.environment.CRM_URL',
      { worker: WorkerSpec.lambda({ entry: AGENT_ENTRY, environment: { CRM_URL: 'https://crm.test' } }) },
      'service.worker.environment.CRM_URL is "https://crm.test" in staging and not set in production',
    ],
    [
      'service.worker.timeoutSeconds',
      { worker: WorkerSpec.lambda({ entry: AGENT_ENTRY, timeout: Duration.minutes(1) }) },
      'service.worker.timeoutSeconds is "60" in staging and "300" in production',
    ],
  ])('are refused for %s, unless it is accepted', (name, props, message) => {
    const refusal = complaints(props);
    expect(refusal).toContain('UnacceptedDifference: ');
    expect(refusal).toContain(message);
    expect(complaints(props, { [name]: REASON })).toBe('');
  });

  test('are refused for an acceptance that no service has a use for', () => {
    expect(complaints({}, { 'service.maxAttempts': REASON })).toContain(
      'StaleAcceptance: accept of staging names "service.maxAttempts", which does not differ',
    );
  });

  test('are told from other agents by their ids', () => {
    const app = testApp();
    const live = production();
    const staging = AgentEnvironment.staging(live);
    const problems = [live, staging].flatMap((environment) => [
      ...service(app, environment, { maxAttempts: 2 }, 'Billing').node.validate(),
      ...service(app, environment, { maxAttempts: 3 }, 'Support').node.validate(),
    ]);
    expect(problems).toEqual([]);
  });

  test('fail the synthesis', () => {
    const app = testApp();
    const live = production();
    service(app, live);
    service(app, AgentEnvironment.staging(live), { maxAttempts: 2 });
    expect(() => app.synth()).toThrow(/UnacceptedDifference: service\.maxAttempts is 2/);
  });

  test('a service of staging alone is compared with nothing, and says so', () => {
    const agent = service(testApp(), AgentEnvironment.staging(production()), { maxAttempts: 2 });
    Annotations.fromStack(Stack.of(agent)).hasWarning(
      '*',
      Match.stringLikeRegexp('no service "Support" of environment'),
    );
  });
});
