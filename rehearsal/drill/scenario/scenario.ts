import { z } from 'zod';
import { LANES, MAX_TIMEOUT_SECONDS, PRIORITIES } from '../../../lib/contract';
import { faultRatesSchema } from '../../chaos';
import { providerRuleSchema } from '../../provider';

/** How the deployment of a release may end. */
export const VERDICTS = ['promoted', 'rolled_back', 'refused'] as const;
export type ReleaseVerdict = (typeof VERDICTS)[number];

const command = z.string().min(1);
const share = z.number().min(0).max(1);

export const trafficSchema = z.strictObject({
  users: z.number().int().min(1).max(100_000).describe('number of users that send tasks in turn, for example 300'),
  tasks: z
    .number()
    .int()
    .min(0)
    .max(1_000_000)
    .describe('minimum number of tasks; more are sent when the rollouts take longer'),
  ratePerSecond: z
    .number()
    .positive()
    .max(1_000)
    .describe('tasks per real second, for example 30; fewer while maxQueuedTasks wait in the queues'),
  maxQueuedTasks: z
    .number()
    .int()
    .min(1)
    .optional()
    .describe(
      'number of queued tasks at which sending pauses, so that a slow machine is not overloaded; default: one second of traffic, minimum 20',
    ),
  inputs: z
    .array(z.json())
    .min(1)
    .describe(
      'inputs that the agent accepts, chosen at random; {{user}} and {{task}} in their strings are replaced by the user and the number of the task',
    ),
  callerRole: z
    .string()
    .min(1)
    .optional()
    .describe(
      'logical id or construct path of the IAM role that callers assume, to rehearse its permissions too; default: an operator with all permissions',
    ),
  sessionsPerUser: z
    .number()
    .int()
    .min(1)
    .optional()
    .describe('number of sessions of each user; default: tasks belong to no session'),
  priorityWeights: z
    .partialRecord(z.enum(PRIORITIES), z.number().min(0))
    .refine((weights) => Object.values(weights).some((weight) => weight > 0), { message: 'no priority has a weight' })
    .optional()
    .describe(
      'relative weights of the priorities, for example { "high": 1, "normal": 8, "low": 1 }; default: all normal',
    ),
  duplicateShare: share
    .optional()
    .describe('share of the tasks, 0 to 1, that are sent twice with the same idempotency key; default 0'),
  cancelShare: share
    .optional()
    .describe('share of the tasks, 0 to 1, that are cancelled shortly after their acceptance; default 0'),
  deadlines: z
    .strictObject({
      share: share.describe('share of the tasks, 0 to 1, that have a deadline'),
      seconds: z
        .strictObject({ min: z.number().int().min(1), max: z.number().int().min(1).max(MAX_TIMEOUT_SECONDS) })
        .describe('bounds of the deadline in cloud seconds, for example { "min": 30, "max": 600 }'),
    })
    .optional()
    .describe('tasks with a deadline; default: none'),
  webhookShare: share
    .optional()
    .describe(
      'share of the tasks, 0 to 1, that ask for a webhook, delivered to a receiver on 127.0.0.1: the agent must have webhooks, with 127.0.0.1 among its private hosts; default 0',
    ),
  readShare: share
    .optional()
    .describe('share of the tasks, 0 to 1, that are read through GET /tasks/{id} at the end; default 0.02'),
});
export type Traffic = z.infer<typeof trafficSchema>;

const faultSchema = z.strictObject({
  resource: z
    .string()
    .min(1)
    .describe('logical id or construct path of the resource; * matches any text, for example "*/PromotedRecord/*"'),
  operation: z.enum(['create', 'update']).describe('operation that fails'),
  reason: z.string().min(1).describe('failure reason that CloudFormation receives'),
});

export const releaseSchema = z.strictObject({
  name: z.string().min(1).describe('name of the release in the report, for example "cheaper-model"'),
  app: command.optional().describe('command that synthesizes this release; default: the scenario\'s "app"'),
  context: z
    .record(z.string(), z.json())
    .optional()
    .describe('CDK context of this release, in addition to cdk.json; it selects the release that the app synthesizes'),
  env: z.record(z.string(), z.string()).optional().describe('environment variables of the app for this release'),
  expected: z
    .enum(VERDICTS)
    .describe(
      'how the deployment must end: "promoted"; "rolled_back" (users reached the release before it was rolled back); "refused" (no user reached it: the preflight failed, or the app does not synthesize)',
    ),
  cause: z
    .strictObject({
      gate: z.string().min(1).optional().describe('name of the only gate that may roll it back, for example "cost"'),
      reason: z.string().min(1).optional().describe('text that the reason of the verdict must contain'),
    })
    .optional()
    .describe('required cause of a rollback or refusal'),
  expectNoChanges: z.boolean().optional().describe('true: the deployment must change no resource'),
  traffic: z
    .strictObject({
      minShare: share
        .optional()
        .describe(
          'minimum share of traffic.tasks that is sent between the start of this deployment and the start of the next; default: an equal share',
        ),
      paused: z.boolean().optional().describe('true: no traffic while this release rolls out'),
    })
    .optional()
    .describe('traffic of this release'),
  faults: z.array(faultSchema).optional().describe('resource operations that fail once each during this deployment'),
});
export type ScenarioRelease = z.infer<typeof releaseSchema>;

/** A scenario: releases to deploy one after the other under load, and how each deployment must end. */
export const scenarioSchema = z
  .strictObject({
    $schema: z.string().optional().describe('JSON schema of this file, for editors'),
    name: z.string().min(1).describe('name of the scenario in the report'),
    description: z.string().optional().describe('what the scenario shows'),
    app: command.optional().describe('command that synthesizes the app; default: --app, else "app" in cdk.json'),
    stack: z
      .string()
      .min(1)
      .optional()
      .describe('stack to rehearse; required if the app has several stacks with an agent'),
    speed: z
      .number()
      .min(1)
      .max(600)
      .optional()
      .describe('cloud seconds per real second, 1 to 600; default 30: a bake of ten minutes takes twenty seconds'),
    seed: z
      .number()
      .int()
      .min(0)
      .optional()
      .describe('seed of traffic and provider: the same seed sends the same requests; default 1'),
    traffic: trafficSchema.optional().describe('the load; default: no task is sent'),
    provider: z
      .strictObject({
        rules: z.array(providerRuleSchema).min(1).describe('the first rule that matches a request answers it'),
      })
      .optional()
      .describe('script of the model provider; default: it answers "ok" to everything'),
    secrets: z
      .array(
        z.strictObject({
          name: z.string().min(1).describe('name of the secret; * matches any text, for example "*Anthropic*"'),
          value: z
            .string()
            .describe(
              'value that the rehearsal sets, never a real key. The run searches its logs, traces, tables, queues and report for values of at least 12 characters',
            ),
        }),
      )
      .optional()
      .describe('values of secrets; a name without * is created if the template does not create it'),
    containers: z
      .array(
        z.strictObject({
          image: z
            .string()
            .min(1)
            .describe(
              'image as named in the task definition; * matches any text, for example "public.ecr.aws/acme/agent@*"',
            ),
          command: z
            .array(z.string())
            .min(1)
            .describe(
              'program and arguments that run instead of the image, for example ["python3", "agent.py"]; "node" is the Node.js that runs the rehearsal',
            ),
          cwd: z
            .string()
            .min(1)
            .optional()
            .describe(
              'working directory, relative to the folder of the app; default: the folder of the image asset, otherwise that of the app',
            ),
        }),
      )
      .optional()
      .describe(
        'programs to run for container images; the first match is used. An image asset whose Dockerfile has CMD or ENTRYPOINT in exec form needs no entry; any other image without an entry is rejected',
      ),
    chaos: faultRatesSchema
      .optional()
      .describe(
        'faults that are injected into the cloud while there is traffic, in addition to the faults of releases; callers then retry requests without an answer; default: none',
      ),
    rotation: z
      .strictObject({
        secrets: z
          .array(z.string().min(1))
          .min(1)
          .describe(
            'construct paths of the secrets to rotate; * matches any text, for example "*/ProviderKey/Secret/*"',
          ),
        count: z.number().int().min(2).max(20).describe('number of rotations of each secret while there is traffic'),
        graceSeconds: z
          .number()
          .int()
          .min(0)
          .describe('cloud seconds after a rotation until the previous key of the pool is revoked'),
        poolKeys: z.array(z.string().min(1)).min(1).describe('keys that the provider accepts until they are revoked'),
        adminKey: z.string().min(1).describe('key that manages service accounts'),
        project: z.string().min(1).describe('project of the service accounts'),
      })
      .optional()
      .describe(
        'secrets that rotate under load: once before the traffic and "count" times during it, the last time because the key in use is revoked, as after a leak. The provider then accepts valid keys only; default: it accepts any key',
      ),
    rateLimit: z
      .strictObject({
        callsPerMinute: z.number().positive().describe("the agent's rate limit for calls to the provider"),
        maxCallsPerMinute: z
          .number()
          .int()
          .positive()
          .describe('maximum number of calls that the provider may receive in any minute'),
        minUtilization: share.describe(
          'share of the limit, 0 to 1, that must be used while there is traffic, for example 0.9',
        ),
      })
      .optional()
      .describe('a rate limit that all workers share: the run checks that it is kept and used; default: not checked'),
    budget: z
      .strictObject({
        dailyDollars: z.number().positive().describe("the agent's daily budget in US dollars"),
        maxDollars: z
          .number()
          .positive()
          .describe('maximum spend in US dollars; higher than the budget, because running tasks are not aborted'),
      })
      .optional()
      .describe(
        'a budget that the traffic exhausts: further requests must be rejected with a message, and its alarm must fire',
      ),
    scaling: z
      .strictObject({
        lane: z.enum(LANES).describe('lane that must scale with its load'),
        minWorkers: z.number().int().min(1).describe('minimum number of workers while the lane has load'),
        maxWorkers: z.number().int().min(1).describe('number of workers that the lane must reach, and not exceed'),
        maxSecondsToFirstWorker: z
          .number()
          .positive()
          .describe(
            'maximum cloud seconds from the first task, sent while no worker runs, until the first worker runs',
          ),
      })
      .optional()
      .describe(
        'workers in containers that scale with the load: from zero to the maximum and back to zero, without flapping. The traffic starts when the lane is idle; default: not checked',
      ),
    workerStops: z
      .strictObject({
        count: z.number().int().min(1).max(50).describe('number of busy workers to stop'),
        intervalSeconds: z.number().positive().describe('cloud seconds between two stops'),
      })
      .optional()
      .describe('busy workers in containers that are stopped after the last release, under its traffic; default: none'),
    failover: z
      .strictObject({
        rule: z.string().min(1).describe('name of the provider rule for the primary model'),
        model: z.string().min(1).describe('pinned id of the primary model'),
        maxFailures: z.number().int().min(1).describe('maximum number of calls to it that may fail during the outage'),
      })
      .optional()
      .describe(
        'an outage of the primary model: no task may fail, fallbacks must answer, circuit breakers must stop most calls to it, and it must be used again at the end',
      ),
    releases: z.array(releaseSchema).min(1).describe('releases in the order of their deployment'),
  })
  .superRefine((scenario, context) => {
    const names = scenario.releases.map((release) => release.name);
    names.forEach((name, index) => {
      if (names.indexOf(name) !== index) {
        context.addIssue({
          code: 'custom',
          path: ['releases', index, 'name'],
          message: 'is already the name of an earlier release',
        });
      }
    });
    if (scenario.releases[0] !== undefined && scenario.releases[0].expected === 'rolled_back') {
      context.addIssue({
        code: 'custom',
        path: ['releases', 0, 'expected'],
        message:
          'the first release creates the stack: CodeDeploy shifts no traffic, so no gate can roll it back; expected "promoted" or "refused"',
      });
    }
    scenario.releases.forEach((release, index) => {
      if (release.cause?.gate !== undefined && release.expected !== 'rolled_back') {
        context.addIssue({
          code: 'custom',
          path: ['releases', index, 'cause', 'gate'],
          message: `a gate can be the cause only of "rolled_back", got expected "${release.expected}"`,
        });
      }
    });
  });
export type Scenario = z.infer<typeof scenarioSchema>;

/** The scenario with another minimum number of tasks. Unchanged without a number, and if it has no traffic. */
export function withTasks(scenario: Scenario, tasks: number | undefined): Scenario {
  return scenario.traffic === undefined || tasks === undefined
    ? scenario
    : { ...scenario, traffic: { ...scenario.traffic, tasks } };
}

export const DEFAULT_SPEED = 30;
export const DEFAULT_SEED = 1;

/** The JSON schema that is published as rehearsal/scenario.schema.json. */
export function scenarioJsonSchema(): Record<string, unknown> {
  const { $schema, ...rest } = z.toJSONSchema(scenarioSchema, { io: 'input' });
  return {
    $schema,
    title: 'Scenario of a cdk-agent-lanes rehearsal',
    description: 'Releases that are deployed one after the other under load, and how each deployment must end.',
    ...rest,
  };
}
