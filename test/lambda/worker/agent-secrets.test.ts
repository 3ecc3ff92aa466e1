import { z } from 'zod';
import type { AgentContext } from '../../../lambda/runtime';
import { Bench } from './support/attempt-harness';

const bench = new Bench();

/** What the agent's own provider takes, and what Secrets Manager has. */
let accepted: string;
let stored: { AWSCURRENT: string; AWSPREVIOUS?: string };

beforeEach(() => {
  accepted = 'crm-key-1-aaaa';
  stored = { AWSCURRENT: 'crm-key-1-aaaa' };
  bench.cloud.secrets = ({ body }) => {
    const { VersionStage = 'AWSCURRENT' } = z
      .object({ VersionStage: z.enum(['AWSCURRENT', 'AWSPREVIOUS']).optional() })
      .parse(body);
    const SecretString = stored[VersionStage];
    return SecretString === undefined
      ? { status: 400, body: { __type: 'ResourceNotFoundException', message: 'no such version' } }
      : { body: { SecretString } };
  };
});

/** As an agent calls a provider of its own. */
async function callProvider(ctx: AgentContext): Promise<string> {
  const key = await ctx.secret('anthropic');
  if (key === accepted) {
    return 'at once';
  }
  return (await ctx.secret('anthropic', { rejected: key })) === accepted ? 'with another key' : 'refused';
}

test('an agent whose key was rotated and revoked while it ran gets the new one at once', async () => {
  const answers: string[] = [];
  const { record } = await bench.work(async (ctx) => {
    answers.push(await callProvider(ctx));
    accepted = 'crm-key-2-bbbb';
    stored = { AWSCURRENT: 'crm-key-2-bbbb', AWSPREVIOUS: 'crm-key-1-aaaa' };
    answers.push(await callProvider(ctx), await callProvider(ctx));
    return answers;
  });
  expect(record).toMatchObject({ status: 'succeeded', result: ['at once', 'with another key', 'at once'] });
  expect(bench.output.text).not.toMatch(/crm-key-\d/);
});

test('an agent whose provider does not know the new key yet gets the one before it', async () => {
  stored = { AWSCURRENT: 'crm-key-2-bbbb', AWSPREVIOUS: 'crm-key-1-aaaa' };
  expect((await bench.work(callProvider)).record).toMatchObject({ result: 'with another key' });
});

test('without another version the agent is told the same again, and may give up', async () => {
  accepted = 'crm-key-9-cccc';
  expect((await bench.work(callProvider)).record).toMatchObject({ result: 'refused' });
});
