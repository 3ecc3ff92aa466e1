import { z } from 'zod';
import { LANES, MAX_TIMEOUT_SECONDS, PRIORITIES } from '../../../lib/contract';
import { faultRatesSchema } from '../../chaos';
import { providerRuleSchema } from '../../provider';

/** What may become of a release. */
export const VERDICTS = ['promoted', 'rolled_back', 'refused'] as const;
export type Verdict = (typeof VERDICTS)[number];

const commandSchema = z.string().min(1);
const share = z.number().min(0).max(1);

export const trafficSchema = z.strictObject({
  users: z.number().int().min(1).max(100_000).describe('how many users send tasks, in turn, for example 300'),
  tasks: z
    .number()
    .int()
    .min(0)
    .max(1_000_000)
    .describe('how many tasks are sent at least; more are sent when the rollouts take longer'),
  ratePerSecond: z
    .number()
    .positive()
    .max(1_000)
    .describe('tasks per real second, for example 30; fewer when too many wait'),
  maxWaiting: z
    .number()
    .int()
    .min(1)
    .optional()
    .describe(
      'tasks that may wait in the queues before no more are sent, so that a slow machine is not overrun; default: one second of traffic, 20 at least',
    ),
  inputs: z
    .array(z.json())
    .min(1)
    .describe(
      'inputs that the agent understands, picked by chance; in their strings {{user}} becomes the user and {{task}} the number of the task',
    ),
  caller: z
    .string()
    .min(1)
    .optional()
    .describe(
      'logical id or construct path of the IAM role in the template that callers act as, so that its permissions are rehearsed too; default: an operator who may do everything',
    ),
  sessions: z.number().int().min(1).optional().describe('sessions per user; left out, tasks belong to no session'),
  priorities: z
    .partialRecord(z.enum(PRIORITIES), z.number().min(0))
    .refine((weights) => Object.values(weights).some((weight) => weight > 0), { message: 'no priority has a weight' })
    .optional()
    .describe(
      'relative weights of the priorities, for example { "high": 1, "normal": 8, "low": 1 }; default: all normal',
    ),
  idempotentRepeats: share
    .optional()
    .describe('share of the tasks, 0 to 1, that are sent a second time under the same idempotency key; default 0'),
  cancels: share
    .optional()
    .describe('share of the tasks, 0 to 1, that their callers cancel a moment after they were accepted; default 0'),
  deadlines: z
    .strictObject({
      share: share.describe('share of the tasks, 0 to 1, that get a deadline'),
      seconds: z
        .strictObject({ min: z.number().int().min(1), max: z.number().int().min(1).max(MAX_TIMEOUT_SECONDS) })
        .describe('bounds of the seconds of the cloud that such a task gets, for example { "min": 30, "max": 600 }'),
    })
    .optional()
    .describe('tasks that must have ended by a time; default: none'),
  webhooks: share
    .optional()
    .describe(
      'share of the tasks, 0 to 1, whose callers want a webhook, at a receiver on 127.0.0.1: the agent must have webhooks, with 127.0.0.1 among its private hosts; default 0',
    ),
  reads: share
    .optional()
    .describe('share of the tasks, 0 to 1, that are read back through GET /tasks/{id} at the end; default 0.02'),
});
export type Traffic = z.infer<typeof trafficSchema>;

const faultSchema = z.strictObject({
  resource: z
    .string()
    .min(1)
    .describe('logical id or construct path of the resource, * stands for anything, for example "*/PromotedRecord/*"'),
  when: z.enum(['create', 'update']).describe('operation that fails: "create" or "update"'),
  reason: z.string().min(1).describe('what CloudFormation is told'),
});

export const releaseSchema = z.strictObject({
  name: z.string().min(1).describe('name of the release in the report, for example "cheaper-model"'),
  app: commandSchema.optional().describe('command that synthesizes this release; default: the scenario\'s "app"'),
  context: z
    .record(z.string(), z.json())
    .optional()
    .describe('CDK context of this release, on top of cdk.json: how one app gives several releases'),
  env: z.record(z.string(), z.string()).optional().describe('environment variables of the app for this release'),
  expected: z
    .enum(VERDICTS)
    .describe(
      'what must become of it: "promoted"; "rolled_back" (it met users and was taken back); "refused" (it met no user: the preflight failed, or the app does not synthesize)',
    ),
  because: z
    .strictObject({
      gate: z.string().min(1).optional().describe('name of the one gate that must take it back, for example "cost"'),
      reason: z.string().min(1).optional().describe('text that must occur in the reason of the verdict'),
    })
    .optional()
    .describe('why it must be rolled back or refused'),
  unchanged: z.boolean().optional().describe('true: the deployment must find nothing to change'),
  traffic: z
    .strictObject({
      minShare: share
        .optional()
        .describe(
          'share of traffic.tasks that is sent from the start of this deployment until the next one starts; default: an equal share',
        ),
      quiet: z.boolean().optional().describe('true: nobody sends anything while this release rolls out'),
    })
    .optional()
    .describe('traffic of this release'),
  faults: z.array(faultSchema).optional().describe('resource operations that fail during this deployment, each once'),
});
export type ScenarioRelease = z.infer<typeof releaseSchema>;

/** A scenario: releases to deploy one after the other under load, and what must become of each. */
export const scenarioSchema = z
  .strictObject({
    $schema: z.string().optional().describe('JSON schema of this file, for editors'),
    name: z.string().min(1).describe('name of the scenario in the report'),
    description: z.string().optional().describe('what the scenario shows'),
    app: commandSchema.optional().describe('command that synthesizes the app; default: --app, else "app" in cdk.json'),
    stack: z.string().min(1).optional().describe('stack to rehearse; needed when the app has several'),
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
      .describe('seed of traffic and provider: the same seed sends the same; default 1'),
    traffic: trafficSchema.optional().describe('the load; without it no task is sent'),
    provider: z
      .strictObject({
        rules: z.array(providerRuleSchema).min(1).describe('the first rule that matches a request answers it'),
      })
      .optional()
      .describe('script of the model provider; default: it answers "ok" to everything'),
    secrets: z
      .array(
        z.strictObject({
          name: z.string().min(1).describe('name of the secret, * stands for anything, for example "*Anthropic*"'),
          value: z
            .string()
            .describe(
              'value that the rehearsal puts in; never a real key. From 12 characters on it is looked for in all that the run leaves',
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
              'image as task definitions name it, * stands for anything, for example "public.ecr.aws/acme/agent@*"',
            ),
          command: z
            .array(z.string())
            .min(1)
            .describe(
              'program and arguments that are run in its place, for example ["python3", "agent.py"]; "node" is the Node that runs the rehearsal',
            ),
          cwd: z
            .string()
            .min(1)
            .optional()
            .describe(
              'folder to run it in, relative to that of the app; default: the folder of the image asset, else that of the app',
            ),
        }),
      )
      .optional()
      .describe(
        'what to run for container images, the first that matches; an image asset whose Dockerfile has its CMD or ENTRYPOINT in exec form needs none, and any other image is refused',
      ),
    chaos: faultRatesSchema
      .optional()
      .describe(
        'what goes wrong while there is traffic, besides the faults of single resources: in the cloud, not in the app; callers then repeat requests that were not answered; default: nothing',
      ),
    rotation: z
      .strictObject({
        secrets: z
          .array(z.string().min(1))
          .min(1)
          .describe(
            'construct paths of the secrets that rotate, * stands for anything, for example "*/ProviderKey/Secret/*"',
          ),
        times: z
          .number()
          .int()
          .min(2)
          .max(20)
          .describe('how often each rotates while there is traffic; workers need a key before the one that leaks'),
        graceSeconds: z
          .number()
          .int()
          .min(0)
          .describe('seconds of the cloud after which a person revokes the key of the pool that was in use before'),
        poolKeys: z.array(z.string().min(1)).min(1).describe('keys that the provider takes until they are revoked'),
        adminKey: z.string().min(1).describe('key with which service accounts are managed'),
        project: z.string().min(1).describe('project that the service accounts belong to'),
      })
      .optional()
      .describe(
        'secrets that rotate under load: once before the traffic and so many times during it; the last time because the key in use is revoked, as after a leak. The provider then takes valid keys only; default: it takes any',
      ),
    limit: z
      .strictObject({
        perMinute: z.number().positive().describe('calls to the provider that the agent allows itself a minute'),
        most: z.number().int().positive().describe('most calls that the provider may see in any minute'),
        leastUsed: share.describe('share of the limit that must be used while there is traffic, for example 0.9'),
      })
      .optional()
      .describe('a limit that the workers share, to be held and used; default: none is judged'),
    budget: z
      .strictObject({
        dollars: z.number().positive().describe("the agent's budget for a day"),
        mostDollars: z.number().positive().describe('most that may be spent: tasks that run are not cut off'),
      })
      .optional()
      .describe('a budget that is used up: requests past it must be refused with a message, and its alarm must fire'),
    scaling: z
      .strictObject({
        lane: z.enum(LANES).describe('lane that must follow its load'),
        floor: z.number().int().min(1).describe('fewest workers that the lane may have while it has any'),
        max: z.number().int().min(1).describe('workers that it must reach under the load, and not exceed'),
        firstWithinSeconds: z
          .number()
          .positive()
          .describe('seconds of the cloud from the first task, sent to no worker at all, until the first one runs'),
      })
      .optional()
      .describe(
        'workers in containers that follow the load: from none, up to the most, back to none, without flapping. The traffic starts when the lane is idle; default: not judged',
      ),
    stops: z
      .strictObject({
        workers: z.number().int().min(1).max(50).describe('workers at work that are told to stop'),
        everySeconds: z.number().positive().describe('seconds of the cloud between two of them'),
      })
      .optional()
      .describe(
        'workers in containers that are told to stop in the midst of their tasks, after the last release and under its traffic; default: none',
      ),
    failover: z
      .strictObject({
        rule: z.string().min(1).describe('name of the rule of the provider that answers for the primary model'),
        model: z.string().min(1).describe('pinned id of the primary model'),
        mostFailures: z.number().int().min(1).describe('most calls to it that may fail while it is away'),
      })
      .optional()
      .describe(
        'a primary model that is away for a stretch: no task may fail for it, fallbacks must answer, breakers must spare it, and it must be used again at the end',
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
          message: 'is the name of an earlier release',
        });
      }
    });
    if (scenario.releases[0] !== undefined && scenario.releases[0].expected === 'rolled_back') {
      context.addIssue({
        code: 'custom',
        path: ['releases', 0, 'expected'],
        message:
          'the first release creates the stack: CodeDeploy shifts nothing then, so no gate can take it back; expected promoted or refused',
      });
    }
    scenario.releases.forEach((release, index) => {
      if (release.because?.gate !== undefined && release.expected !== 'rolled_back') {
        context.addIssue({
          code: 'custom',
          path: ['releases', index, 'because', 'gate'],
          message: `a gate takes back only a release that is expected to be rolled_back, not ${release.expected}`,
        });
      }
    });
  });
export type Scenario = z.infer<typeof scenarioSchema>;

/** The scenario with at least so many tasks. As it is without a number, and where it has no traffic. */
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
    description: 'Releases that are deployed one after the other under load, and what must become of each.',
    ...rest,
  };
}
