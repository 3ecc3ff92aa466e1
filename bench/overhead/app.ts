/** An agent that does nothing, and beside it two queues that nothing polls: the bench itself takes messages from them. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, CfnOutput, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { AgentService, Behavior, ModelSpec, WorkerSpec } from 'cdk-agent-lanes';

const app = new App();
const stack = new Stack(app, 'Overhead');

const behavior = mkdtempSync(join(tmpdir(), 'overhead-behavior-'));
mkdirSync(join(behavior, 'prompts'));
writeFileSync(join(behavior, 'prompts', 'none.md'), 'This agent asks nothing.\n');

new AgentService(stack, 'Agent', {
  agentName: 'overhead',
  behavior: Behavior.fromDirectory(behavior, {
    model: ModelSpec.anthropic('claude-haiku-4-5-20251001', { price: { inputPerMillion: 1, outputPerMillion: 5 } }),
  }),
  worker: WorkerSpec.lambda({ entry: join(__dirname, 'agent.ts'), timeout: Duration.minutes(1) }),
  secrets: { anthropic: new Secret(stack, 'ProviderKey') },
  removalPolicy: RemovalPolicy.DESTROY,
});
for (const id of ['Bare', 'Worked']) {
  const queue = new Queue(stack, id, { visibilityTimeout: Duration.minutes(2) });
  new CfnOutput(stack, `${id}Queue`, { value: queue.queueUrl });
}
