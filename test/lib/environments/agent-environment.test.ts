import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import * as fc from 'fast-check';
import {
  AgentEnvironment,
  Budgets,
  LogLevel,
  ModelSpec,
  type ProductionEnvironmentOptions,
  type StagingEnvironmentOptions,
} from '../../../lib';
import { agentFolder } from '../../support/agent-folder';

const PRICE = { inputPerMillion: 1, outputPerMillion: 5 };
const haiku = (maxTokens = 4096) => ModelSpec.anthropic('claude-haiku-4-5-20251001', { price: PRICE, maxTokens });
const sonnet = ModelSpec.anthropic('claude-sonnet-4-6', { price: { inputPerMillion: 3, outputPerMillion: 15 } });
const nova = ModelSpec.openAi('gpt-4.1-2025-04-14', { price: PRICE });

const PRODUCTION: ProductionEnvironmentOptions = {
  model: sonnet,
  fallbacks: [nova],
  modelPolicy: { attempts: 3, breakerOpen: Duration.seconds(20) },
  limits: { maxCost: 0.25, maxDuration: Duration.minutes(2), maxToolCalls: 10 },
  tools: ['search'],
  taskRetention: Duration.days(14),
  budgets: Budgets.perDay({ agent: 50 }),
};
const production = () => AgentEnvironment.production(PRODUCTION);
const REASON = 'staging runs on sanitized copies that no user misses';

describe('production', () => {
  test('keeps its data and its logs, and says so only once', () => {
    expect(production()).toMatchObject({
      name: 'production',
      removalPolicy: RemovalPolicy.RETAIN,
      deletionProtection: true,
      logLevel: LogLevel.INFO,
      logRetention: RetentionDays.THREE_MONTHS,
      liveTools: undefined,
    });
  });
});

describe('workers that are kept ready', () => {
  test('are two where users are, and none where the agent is built', () => {
    expect(production().standbyWorkers).toBe(2);
    expect(AgentEnvironment.staging(production()).standbyWorkers).toBe(2);
    expect(AgentEnvironment.development({ model: haiku(), limits: { maxCost: 0.02 } }).standbyWorkers).toBe(0);
    expect(AgentEnvironment.production({ ...PRODUCTION, standbyWorkers: 0 }).standbyWorkers).toBe(0);
  });

  test.each([1, -1, 2.5])('are refused to be %p in production', (standbyWorkers) => {
    expect(() => AgentEnvironment.production({ ...PRODUCTION, standbyWorkers })).toThrow(
      /InvalidStandbyWorkers: standbyWorkers of production must be 0 or an integer of 2 or more, got/,
    );
  });
});

describe('development', () => {
  test('has a model and limits of its own, leaves nothing behind, and runs no tool for real', () => {
    expect(AgentEnvironment.development({ model: haiku(), limits: { maxCost: 0.02 } })).toMatchObject({
      name: 'development',
      limits: { maxCost: 0.02 },
      removalPolicy: RemovalPolicy.DESTROY,
      deletionProtection: false,
      logLevel: LogLevel.DEBUG,
      logRetention: RetentionDays.ONE_WEEK,
      liveTools: [],
    });
  });

  test('refuses to be without a most that a task may cost', () => {
    expect(() => AgentEnvironment.development({ model: haiku(), limits: { maxToolCalls: 5 } })).toThrow(
      /MissingDevelopmentMaxCost: limits of development has no maxCost/,
    );
  });
});

describe('the behavior of an environment', () => {
  const folder = () =>
    agentFolder({
      'prompts/answer.md': 'Answer.',
      'tools/search.json': '{"type":"object"}',
      'tools/crm/delete.json': '{"type":"object"}',
    });

  test('has its model, limits and tools, from the same folder for all', () => {
    const directory = folder();
    const inProduction = production().behavior(directory);
    expect(inProduction.toolNames).toEqual(['search']);
    expect(inProduction.sandboxedTools).toEqual([]);
    expect(inProduction.model).toBe(sonnet);
    expect(inProduction.fallbacks).toEqual([nova]);
    expect(inProduction.limits).toEqual(PRODUCTION.limits);
    const inDevelopment = AgentEnvironment.development({
      model: haiku(),
      limits: { maxCost: 0.02 },
      liveTools: ['search'],
    }).behavior(directory, { stateSchema: 3 });
    expect(inDevelopment.toolNames).toEqual(['crm/delete', 'search']);
    expect(inDevelopment.sandboxedTools).toEqual(['crm/delete']);
    expect(inDevelopment.stateSchema).toBe(3);
  });

  test('fails for a broken tool even where it is not allowed', () => {
    const directory = agentFolder({ 'prompts/a.md': 'a', 'tools/crm.json': 'no JSON' });
    expect(() => production().behavior(directory)).toThrow(/InvalidToolJson/);
  });
});

describe('staging', () => {
  test('is production, when nothing is said', () => {
    const staging = AgentEnvironment.staging(production());
    expect(staging).toMatchObject({ name: 'staging', deletionProtection: true, accepted: {} });
    expect(staging.behavior(agentFolder()).limits).toEqual(PRODUCTION.limits);
  });

  test('may say again what production says', () => {
    const again = { fallbacks: [nova], limits: { maxDuration: Duration.seconds(120) }, tools: ['search', 'search'] };
    const { limits, tools } = AgentEnvironment.staging(production(), again);
    expect(limits.maxDuration?.toSeconds()).toBe(120);
    expect(tools).toEqual(['search']);
  });

  test('refuses what differs, with both values', () => {
    expect(() => AgentEnvironment.staging(production(), { limits: { maxCost: 0.1 } })).toThrow(
      /^UnacceptedDifference: limits\.maxCost is 0\.1 in staging and 0\.25 in production: expected staging to equal production/,
    );
  });

  test('takes what is accepted with a reason, and remembers it', () => {
    const accept = { removalPolicy: REASON, deletionProtection: REASON, limits: REASON };
    const staging = AgentEnvironment.staging(production(), {
      removalPolicy: RemovalPolicy.DESTROY,
      deletionProtection: false,
      limits: { maxCost: 0.1 },
      accept,
    });
    expect(staging).toMatchObject({ removalPolicy: 'destroy', limits: { maxCost: 0.1, maxToolCalls: 10 } });
    expect(staging.accepted).toEqual(accept);
  });

  test('refuses an acceptance of what does not differ', () => {
    expect(() => AgentEnvironment.staging(production(), { accept: { logLevel: REASON } })).toThrow(
      /StaleAcceptance: accept of staging names "logLevel", which does not differ/,
    );
  });

  test('refuses an acceptance of a setting by half of its name', () => {
    const props = { limits: { maxCost: 0.1 }, accept: { 'limits.max': REASON } };
    expect(() => AgentEnvironment.staging(production(), props)).toThrow(/UnacceptedDifference: limits\.maxCost/);
  });

  test('refuses a reason that gives none', () => {
    const props = { limits: { maxCost: 0.1 }, accept: { 'limits.maxCost': 'because      ' } };
    expect(() => AgentEnvironment.staging(production(), props)).toThrow(/InvalidAcceptanceReason: .*limits\.maxCost/);
  });

  test('refuses to stand for anything but production', () => {
    const development = AgentEnvironment.development({ model: haiku(), limits: { maxCost: 0.02 } });
    expect(() => AgentEnvironment.staging(development)).toThrow(/InvalidStagingBase: .*"development"/);
  });

  /** Each way to differ: what to say, and the settings by which the difference is called. */
  const WAYS: readonly { readonly props: StagingEnvironmentOptions; readonly names: readonly string[] }[] = [
    { props: { model: haiku() }, names: ['model.id', 'model.price.inputPerMillion', 'model.price.outputPerMillion'] },
    { props: { fallbacks: [haiku()] }, names: ['fallbacks.0.id', 'fallbacks.0.provider', 'fallbacks.0.secret'] },
    { props: { modelPolicy: { attempts: 1 } }, names: ['modelPolicy.attempts'] },
    { props: { modelPolicy: { backoffFirst: Duration.millis(1) } }, names: ['modelPolicy.backoffFirst'] },
    { props: { modelPolicy: { backoffLongest: Duration.seconds(9) } }, names: ['modelPolicy.backoffLongest'] },
    { props: { modelPolicy: { breakerFailures: 9 } }, names: ['modelPolicy.breakerFailures'] },
    { props: { modelPolicy: { breakerOpen: Duration.millis(20_001) } }, names: ['modelPolicy.breakerOpen'] },
    { props: { limits: { maxCost: 0.251 } }, names: ['limits.maxCost'] },
    { props: { limits: { maxDuration: Duration.seconds(121) } }, names: ['limits.maxDuration'] },
    { props: { limits: { maxToolCalls: 11 } }, names: ['limits.maxToolCalls'] },
    { props: { limits: { maxModelCalls: 11 } }, names: ['limits.maxModelCalls'] },
    { props: { limits: { maxSteps: 11 } }, names: ['limits.maxSteps'] },
    { props: { limits: { maxTokens: 11 } }, names: ['limits.maxTokens'] },
    { props: { tools: ['search', 'write'] }, names: ['tools'] },
    { props: { liveTools: ['search'] }, names: ['liveTools'] },
    { props: { logLevel: LogLevel.DEBUG }, names: ['logLevel'] },
    { props: { logRetention: RetentionDays.ONE_DAY }, names: ['logRetention'] },
    { props: { taskRetention: Duration.days(15) }, names: ['taskRetention'] },
    { props: { removalPolicy: RemovalPolicy.DESTROY }, names: ['removalPolicy'] },
    { props: { deletionProtection: false }, names: ['deletionProtection'] },
    { props: { standbyWorkers: 0 }, names: ['standbyWorkers'] },
    { props: { rateLimits: { openai: { tokensPerMinute: 9 } } }, names: ['rateLimits.openai.tokensPerMinute'] },
    { props: { budgets: Budgets.perDay({ user: 9 }) }, names: ['budgets.agent', 'budgets.user'] },
  ];

  /** Several ways at once; of the same setting the last counts, as it does in props. */
  const several = fc.subarray([...WAYS], { minLength: 1 }).map((ways) => ({
    names: ways.flatMap(({ names }) => names),
    props: {
      ...Object.assign({}, ...ways.map(({ props }) => props)),
      limits: Object.assign({}, ...ways.map(({ props }) => props.limits)),
      modelPolicy: Object.assign({}, ...ways.map(({ props }) => props.modelPolicy)),
    } as StagingEnvironmentOptions,
  }));

  const refusal = (props: StagingEnvironmentOptions): string => {
    try {
      AgentEnvironment.staging(production(), props);
    } catch (error) {
      return String(error);
    }
    throw new Error('the differences were not found');
  };

  test('there is a way to differ in every setting that it can be given', () => {
    const settings = new Set(WAYS.flatMap(({ props }) => Object.keys(props)));
    const all: Record<keyof Omit<StagingEnvironmentOptions, 'accept'>, true> = {
      model: true,
      fallbacks: true,
      modelPolicy: true,
      limits: true,
      tools: true,
      liveTools: true,
      logLevel: true,
      logRetention: true,
      taskRetention: true,
      removalPolicy: true,
      deletionProtection: true,
      standbyWorkers: true,
      rateLimits: true,
      budgets: true,
    };
    expect([...settings].sort()).toEqual(Object.keys(all).sort());
  });

  test('refuses whatever differs, and names all of it and nothing else', () => {
    fc.assert(
      fc.property(several, ({ props, names }) => {
        const found = [...refusal(props).matchAll(/([\w.]+) is (?:(?! is ).)* in staging and /g)].map(
          ([, name]) => name,
        );
        expect(found.sort()).toEqual([...names].sort());
      }),
    );
  });

  test('takes any set of differences if, and only if, each is accepted', () => {
    fc.assert(
      fc.property(several, fc.nat(), ({ props, names }, pick) => {
        const accept = Object.fromEntries(names.map((name) => [name, REASON]));
        expect(AgentEnvironment.staging(production(), { ...props, accept }).accepted).toEqual(accept);
        const forgotten = names[pick % names.length] as string;
        const { [forgotten]: _, ...rest } = accept;
        expect(refusal({ ...props, accept: rest })).toContain(`UnacceptedDifference: ${forgotten} is `);
      }),
    );
  });
});
