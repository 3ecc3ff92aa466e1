import { Duration, RemovalPolicy, Size } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { BundledFunction, type BundledFunctionProps } from '../../../lib/common';
import { testStack } from '../../support/stack';

/** Any bundle that the library has. */
const bundle = 'recorder';

function synth(props: Partial<BundledFunctionProps> = {}): Template {
  const stack = testStack();
  new BundledFunction(stack, 'Fn', { bundle, description: 'Does something', ...props }).currentVersion;
  return Template.fromStack(stack);
}

describe('BundledFunction', () => {
  test('traces, logs for a month, and keeps its versions', () => {
    const template = synth();
    template.hasResourceProperties('AWS::Lambda::Function', {
      Description: 'Does something',
      Handler: 'index.handler',
      Runtime: 'nodejs24.x',
      MemorySize: 512,
      Timeout: 30,
      TracingConfig: { Mode: 'Active' },
      LoggingConfig: { LogGroup: { Ref: Match.stringLikeRegexp('^FnLogs') } },
    });
    template.hasResource('AWS::Logs::LogGroup', { DeletionPolicy: 'Delete', Properties: { RetentionInDays: 30 } });
    template.hasResource('AWS::Lambda::Version', {
      DeletionPolicy: 'RetainExceptOnCreate',
      UpdateReplacePolicy: 'Retain',
    });
  });

  test('takes what it is told', () => {
    const template = synth({
      memorySize: Size.mebibytes(256),
      timeout: Duration.minutes(2),
      environment: { NAME: 'value' },
      logRetention: RetentionDays.ONE_WEEK,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    template.hasResourceProperties('AWS::Lambda::Function', {
      MemorySize: 256,
      Timeout: 120,
      Environment: { Variables: { NAME: 'value' } },
    });
    template.hasResource('AWS::Logs::LogGroup', { DeletionPolicy: 'Retain', Properties: { RetentionInDays: 7 } });
  });

  test('may write to its own log and send traces, and nothing more', () => {
    const template = synth();
    template.allResourcesProperties('AWS::IAM::Role', { ManagedPolicyArns: Match.absent() });
    template.allResourcesProperties('AWS::IAM::Policy', {
      PolicyDocument: {
        Statement: [
          {
            Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
            Effect: 'Allow',
            Resource: { 'Fn::GetAtt': [Match.stringLikeRegexp('^FnLogs'), 'Arn'] },
          },
          { Action: ['xray:PutTelemetryRecords', 'xray:PutTraceSegments'], Effect: 'Allow', Resource: '*' },
        ],
      },
    });
  });

  test('refuses a bundle that does not exist, and says how to make it', () => {
    expect(() => synth({ bundle: 'nowhere' })).toThrow(
      /MissingFunctionBundle: no function bundle "nowhere": the package has router, .* "npm run build:bundles"/,
    );
  });
});
