import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Stack, Validations } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { AwsSolutionsChecks } from 'cdk-nag';
import { ApiKeyCheck, ApiKeyRotation, RotatingSecret } from '../../../lib';
import { testApp } from '../../support/stack';

test('cdk-nag finds nothing in a secret that rotates', () => {
  const app = testApp();
  const stack = new Stack(app, 'Test');
  const poolSecret = Secret.fromSecretNameV2(stack, 'Pool', 'agents/keys');
  new RotatingSecret(stack, 'Key', {
    agentName: 'support',
    secretName: 'anthropic',
    rotation: ApiKeyRotation.keyPool({ poolSecret, check: ApiKeyCheck.anthropic() }),
  });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  try {
    app.synth();
  } catch (error) {
    if (!(error instanceof Error && error.name === 'ValidationFailed')) {
      throw error;
    }
  }
  const { pluginReports } = JSON.parse(readFileSync(join(app.outdir, 'validation-report.json'), 'utf8'));
  const found = pluginReports.flatMap(({ violations }: { violations: readonly { ruleName: string }[] }) =>
    violations.map((violation) => JSON.stringify(violation)),
  );
  expect(found).toEqual([]);
});
