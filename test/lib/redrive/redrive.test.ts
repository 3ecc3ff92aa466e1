import { Stack } from 'aws-cdk-lib';
import { Key } from 'aws-cdk-lib/aws-kms';
import { redriveSettingsSchema } from '../../../lambda/functions/redrive/settings';
import { readSettings } from '../../../lambda/shared/settings';
import { Env } from '../../../lib/contract';
import { supportAgent } from '../../support/agent-service';
import { deployedEnvironment } from '../../support/deployed-environment';
import { testApp, testStack } from '../../support/stack';
import { named, resourcesOf } from '../../support/template';

interface Statement {
  readonly Action: string | string[];
  readonly Resource: unknown;
}

describe('the redrive function', () => {
  const stack = testStack();
  supportAgent(stack, { agentName: 'support' });
  const resources = resourcesOf(stack);

  test('has all that it reads from its environment', () => {
    const settings = readSettings(redriveSettingsSchema, deployedEnvironment(resources, 'SupportRedriveFunction'));
    expect(settings[Env.AGENT]).toBe('support');
    expect(settings[Env.TASK_RETENTION_DAYS]).toBe(30);
    expect(settings[Env.DEAD_LETTER_QUEUES].candidate).toContain('SupportCandidateDeadLetters');
    expect(settings[Env.QUEUES].stable.low).toContain('SupportStableLow');
  });

  test('has five minutes for full queues', () => {
    expect(resources[named(resources, 'SupportRedriveFunction')]?.Properties?.Timeout).toBe(300);
  });

  test('takes from the dead-letter queues and sends to the work queues, and not the other way round', () => {
    const document = resources[named(resources, 'SupportRedriveFunctionRoleDefaultPolicy')]?.Properties?.PolicyDocument;
    const { Statement: all } = document as { Statement: Statement[] };
    const on = (action: string) =>
      JSON.stringify(all.filter(({ Action }) => [Action].flat().includes(action)).map(({ Resource }) => Resource));
    for (const action of ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility']) {
      expect(
        on(action)
          .match(/Support(Stable|Candidate)[A-Za-z]+/g)
          ?.map((id) => id.slice(0, -8))
          .sort(),
      ).toHaveLength(2);
      expect(on(action)).not.toMatch(/High|Normal|Low/);
    }
    expect(on('sqs:SendMessage').match(/(High|Normal|Low)/g)).toHaveLength(6);
    expect(on('sqs:SendMessage')).not.toContain('DeadLetters');
  });

  test('may use the key of encrypted queues', () => {
    const own = new Stack(testApp(), 'Test', { env: { account: '123456789012', region: 'eu-west-1' } });
    supportAgent(own, { encryptionKey: new Key(own, 'Key') });
    const encrypted = resourcesOf(own);
    const policy = JSON.stringify(encrypted[named(encrypted, 'SupportRedriveFunctionRoleDefaultPolicy')]);
    expect(policy).toContain('"kms:Decrypt"');
    expect(policy).toContain('"kms:GenerateDataKey"');
  });
});
