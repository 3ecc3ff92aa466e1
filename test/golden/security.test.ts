import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type App, CfnResource, Stack, Validations } from 'aws-cdk-lib';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { AwsSolutionsChecks } from 'cdk-nag';
import { testApp } from '../support/stack';
import { COMPOSITIONS } from './compositions';

interface Violation {
  readonly ruleName: string;
  readonly violatingConstructs: readonly { readonly constructPath?: string }[];
}
interface Report {
  readonly pluginReports: readonly { readonly violations: readonly Violation[] }[];
}

/** Synthesizes with cdk-nag and with the CDK's own rules; returns the findings without a recorded reason. */
function findings(app: App): string[] {
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  try {
    app.synth();
  } catch (error) {
    if (!(error instanceof Error && error.name === 'ValidationFailed')) {
      throw error;
    }
  }
  const report = JSON.parse(readFileSync(join(app.outdir, 'validation-report.json'), 'utf8')) as Report;
  return report.pluginReports.flatMap(({ violations }) =>
    violations.flatMap(({ ruleName, violatingConstructs }) =>
      violatingConstructs.map(({ constructPath }) => `${ruleName} ${constructPath}`),
    ),
  );
}

describe('cdk-nag and the rules of the CDK', () => {
  test.each(Object.keys(COMPOSITIONS))('find nothing unexplained in %s', (name) => {
    const app = testApp();
    COMPOSITIONS[name]?.(app);
    expect(findings(app)).toEqual([]);
  });

  test('fails a stack with something to find', () => {
    const app = testApp();
    new Bucket(new Stack(app, 'Bad'), 'Bucket');
    expect(findings(app)).toContainEqual(expect.stringContaining('AwsSolutions-S1'));
  });

  test('fails a template that CloudFormation would refuse', () => {
    const app = testApp();
    new CfnResource(new Stack(app, 'Bad'), 'Queue', { type: 'AWS::SQS::Queue', properties: { Retention: 1 } });
    expect(() => app.synth()).toThrow("'Retention' was unexpected");
  });
});
