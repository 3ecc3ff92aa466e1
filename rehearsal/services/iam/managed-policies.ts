/**
 * The AWS managed policies that constructs of this kind attach, with their content as the AWS managed policy reference
 * gives it. https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
 * A role that attaches another one is refused by name.
 */
interface ManagedStatement {
  readonly Effect: 'Allow';
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const WRITE_LOGS = ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'] as const;

function allow(Action: readonly string[], Resource: readonly string[] = ['*']): ManagedStatement {
  return { Effect: 'Allow', Action, Resource };
}

const CODEDEPLOY_REVISIONS: readonly ManagedStatement[] = [
  allow(['s3:GetObject', 's3:GetObjectVersion'], ['arn:aws:s3:::*/CodeDeploy/*']),
  {
    ...allow(['s3:GetObject', 's3:GetObjectVersion']),
    Condition: { StringEquals: { 's3:ExistingObjectTag/UseWithCodeDeploy': 'true' } },
  },
];
const CODEDEPLOY_HOOKS = allow(['lambda:InvokeFunction'], ['arn:aws:lambda:*:*:function:CodeDeployHook_*']);

/** By path and name, as in the ARN after `policy/`. */
const STATEMENTS: Readonly<Record<string, readonly ManagedStatement[]>> = {
  'service-role/AWSLambdaBasicExecutionRole': [allow(WRITE_LOGS)],
  'service-role/AWSLambdaVPCAccessExecutionRole': [
    allow([
      ...WRITE_LOGS,
      'ec2:CreateNetworkInterface',
      'ec2:DescribeNetworkInterfaces',
      'ec2:DescribeSubnets',
      'ec2:DeleteNetworkInterface',
      'ec2:AssignPrivateIpAddresses',
      'ec2:UnassignPrivateIpAddresses',
    ]),
  ],
  'service-role/AWSLambdaSQSQueueExecutionRole': [
    allow(['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes', ...WRITE_LOGS]),
  ],
  'service-role/AmazonECSTaskExecutionRolePolicy': [
    allow([
      'ecr:GetAuthorizationToken',
      'ecr:BatchCheckLayerAvailability',
      'ecr:GetDownloadUrlForLayer',
      'ecr:BatchGetImage',
      'logs:CreateLogStream',
      'logs:PutLogEvents',
    ]),
  ],
  AWSXRayDaemonWriteAccess: [
    allow([
      'xray:PutTraceSegments',
      'xray:PutTelemetryRecords',
      'xray:GetSamplingRules',
      'xray:GetSamplingTargets',
      'xray:GetSamplingStatisticSummaries',
    ]),
  ],
  CloudWatchLambdaInsightsExecutionRolePolicy: [
    allow(['logs:CreateLogGroup']),
    allow(['logs:CreateLogStream', 'logs:PutLogEvents'], ['arn:aws:logs:*:*:log-group:/aws/lambda-insights:*']),
  ],
  'service-role/AWSCodeDeployRoleForLambda': [
    allow([
      'cloudwatch:DescribeAlarms',
      'lambda:UpdateAlias',
      'lambda:GetAlias',
      'lambda:GetProvisionedConcurrencyConfig',
      'sns:Publish',
    ]),
    ...CODEDEPLOY_REVISIONS,
    CODEDEPLOY_HOOKS,
  ],
  'service-role/AWSCodeDeployRoleForLambdaLimited': [
    allow([
      'cloudwatch:DescribeAlarms',
      'lambda:UpdateAlias',
      'lambda:GetAlias',
      'lambda:GetProvisionedConcurrencyConfig',
    ]),
    ...CODEDEPLOY_REVISIONS,
    CODEDEPLOY_HOOKS,
  ],
};

const ARN = /^arn:[^:]+:iam::aws:policy\/(.+)$/;

/** Policy document of an AWS managed policy; undefined if it is none or one that is not known here. */
export function awsManagedPolicy(arn: string): unknown {
  const statements = STATEMENTS[ARN.exec(arn)?.[1] ?? ''];
  return statements === undefined ? undefined : { Version: '2012-10-17', Statement: statements };
}
