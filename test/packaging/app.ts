/** A small CDK app of a user, as the README has it. */
export const APP: Readonly<Record<string, string>> = {
  'cdk.json': JSON.stringify({ app: 'node app.js' }),
  'app.js': `
    const { App, Duration, Stack } = require('aws-cdk-lib');
    const { Secret } = require('aws-cdk-lib/aws-secretsmanager');
    const { AgentService, Behavior, ModelSpec, QualityGate, Rollout, TrafficShift, WorkerSpec } = require('cdk-agent-lanes');
    const app = new App();
    const stack = new Stack(app, 'Support');
    new AgentService(stack, 'Agent', {
      behavior: Behavior.fromDirectory('agent', {
        model: ModelSpec.anthropic('claude-sonnet-4-5-20250929', { price: { inputPerMillion: 3, outputPerMillion: 15 } }),
        stateSchema: 1,
      }),
      worker: WorkerSpec.lambda({ entry: 'agent/agent.ts' }),
      secrets: { anthropic: new Secret(stack, 'AnthropicKey') },
      gates: { errors: QualityGate.errorRate({ max: 0.05 }) },
    });
    app.synth();
  `,
  'agent/agent.ts': `
    import { defineAgent } from 'cdk-agent-lanes/runtime';
    import { z } from 'zod';
    export default defineAgent({
      input: z.object({ question: z.string() }),
      probe: { input: { question: 'Are you there?' } },
      async run(task, ctx) {
        const answer = await ctx.model.generate({ prompt: ctx.prompt('answer', { question: task.input.question }) });
        return { answer: answer.text };
      },
    });
  `,
  'agent/prompts/answer.md': 'Answer in one sentence: {{question}}\n',
  'scenario.json': JSON.stringify({
    $schema: './node_modules/cdk-agent-lanes-cli/dist/scenario.schema.json',
    name: 'installed',
    speed: 60,
    traffic: { users: 10, tasks: 30, ratePerSecond: 20, inputs: [{ question: 'Hello' }] },
    provider: { rules: [{ name: 'all', answer: { text: 'Hello!' } }] },
    secrets: [{ name: '*', value: 'any' }],
    releases: [{ name: 'today', expected: 'promoted' }],
  }),
};

/** What a user writes in TypeScript against every entry point. */
export const TYPED_APP = `
  import { App, Duration, Stack } from 'aws-cdk-lib';
  import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
  import { AgentService, Behavior, ModelSpec, QualityGate, Rollout, TrafficShift, WorkerSpec } from 'cdk-agent-lanes';
  import { runContainer } from 'cdk-agent-lanes/container';
  import { type AgentContext, defineAgent } from 'cdk-agent-lanes/runtime';
  import { createHandler } from 'cdk-agent-lanes/worker';

  const stack = new Stack(new App(), 'Support');
  const service: AgentService = new AgentService(stack, 'Agent', {
    behavior: Behavior.fromDirectory('agent', {
      model: ModelSpec.anthropic('claude-sonnet-4-5-20250929', { price: { inputPerMillion: 3, outputPerMillion: 15 } }),
      stateSchema: 1,
    }),
    worker: WorkerSpec.lambda({ entry: 'agent/agent.ts', timeout: Duration.minutes(5) }),
    secrets: { anthropic: new Secret(stack, 'Key') },
    rollout: Rollout.codeDeploy(TrafficShift.canary({ percentage: 10, bakeTime: Duration.minutes(30) })),
    gates: { errors: QualityGate.errorRate({ max: 0.05 }) },
  });
  service.grants.submit(service.worker);

  // Any validator that speaks Standard Schema.
  const input = { '~standard': { validate: (value: unknown) => ({ value: value as { readonly question: string } }) } };

  export const agent = defineAgent({
    input,
    async run(task, ctx: AgentContext) {
      ctx.logger.info('began', { question: task.input.question });
      return (await ctx.model.generate({ prompt: ctx.prompt('answer') })).text;
    },
  });
  export const handler = createHandler(agent);
  runContainer(agent);
`;
