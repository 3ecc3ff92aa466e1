/**
 * The peer of the synth benchmark: what a team would write by hand with the CDK's own constructs to get the resources of
 * the example deployment, the same number of each type. It declares, it is not meant to be deployed.
 */
import { join } from 'node:path';
import { App, CustomResource, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { HttpApi, HttpMethod, HttpStage, LogGroupLogDestination } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Alarm, Dashboard, GraphWidget, MathExpression, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { LambdaApplication, LambdaDeploymentConfig, LambdaDeploymentGroup } from 'aws-cdk-lib/aws-codedeploy';
import { AttributeType, Billing, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Policy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import {
  Alias,
  Code,
  EventSourceMapping,
  type IFunction,
  Function as LambdaFunction,
  Runtime,
  Tracing,
} from 'aws-cdk-lib/aws-lambda';
import { NodejsFunction } from 'aws-cdk-lib/aws-lambda-nodejs';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Queue } from 'aws-cdk-lib/aws-sqs';

const ROOT = join(__dirname, '..', '..');
const app = new App();
const stack = new Stack(app, 'Plain');

const secret = new Secret(stack, 'ProviderKey');
const topic = new Topic(stack, 'Alerts', { enforceSSL: true });
const document = new Asset(stack, 'Document', { path: join(ROOT, 'package.json') });

const tables = ['Tasks', 'Sessions', 'Control'].map(
  (id) =>
    new TableV2(stack, id, {
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
      billing: Billing.onDemand(),
      timeToLiveAttribute: 'expiresAt',
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: true,
    }),
);

function queue(id: string): Queue {
  return new Queue(stack, id, { enforceSSL: true, visibilityTimeout: Duration.minutes(4) });
}
const lanes = ['Stable', 'Candidate'].map((lane) => {
  const deadLetters = queue(`${lane}DeadLetters`);
  return ['High', 'Normal', 'Low'].map(
    (priority) =>
      new Queue(stack, `${lane}${priority}`, {
        enforceSSL: true,
        visibilityTimeout: Duration.minutes(4),
        deadLetterQueue: { queue: deadLetters, maxReceiveCount: 5 },
      }),
  );
});
const inboxDeadLetters = queue('InboxDeadLetters');
const inbox = new Queue(stack, 'Inbox', {
  enforceSSL: true,
  deadLetterQueue: { queue: inboxDeadLetters, maxReceiveCount: 5 },
});

const webhookDeadLetters = queue('WebhookDeadLetters');
const webhooks = new Queue(stack, 'Webhooks', {
  enforceSSL: true,
  visibilityTimeout: Duration.minutes(4),
  deadLetterQueue: { queue: webhookDeadLetters, maxReceiveCount: 100 },
});
const signingKey = new Secret(stack, 'WebhookKey');
const payloads = new Bucket(stack, 'Payloads', { enforceSSL: true });

function settings(id: string) {
  return {
    runtime: Runtime.NODEJS_24_X,
    memorySize: 512,
    timeout: Duration.seconds(25),
    tracing: Tracing.ACTIVE,
    logGroup: new LogGroup(stack, `${id}Logs`, {
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    }),
    currentVersionOptions: { removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE },
    environment: Object.fromEntries(tables.map((table, index) => [`TABLE_${index}`, table.tableName])),
  };
}
const worker = new NodejsFunction(stack, 'Worker', {
  ...settings('Worker'),
  entry: join(ROOT, 'bench', 'plain', 'worker.ts'),
  bundling: { minify: true, externalModules: [], target: 'node24' },
});
secret.grantRead(worker);
document.grantRead(worker);
const [router, api, preflight, evidence, recorder, check, webhook, redrive] = [
  'router',
  'api',
  'preflight',
  'evidence',
  'recorder',
  'rollout-check',
  'webhook',
  'redrive',
].map(
  (name) =>
    new LambdaFunction(stack, `Function${name}`, {
      ...settings(name),
      handler: 'index.handler',
      code: Code.fromAsset(join(ROOT, 'assets', name)),
    }),
) as [
  LambdaFunction,
  LambdaFunction,
  LambdaFunction,
  LambdaFunction,
  LambdaFunction,
  LambdaFunction,
  LambdaFunction,
  LambdaFunction,
];
for (const fn of [worker, router, api, preflight, evidence, recorder, check, webhook, redrive]) {
  for (const table of tables) {
    table.grantReadWriteData(fn);
  }
}

const live = new Alias(stack, 'Live', { aliasName: 'live', version: router.currentVersion });
const aliases = ['stable', 'candidate'].map(
  (name) => new Alias(stack, `Alias${name}`, { aliasName: name, version: worker.currentVersion }),
);
lanes.forEach((queues, lane) => {
  queues.forEach((source, index) => {
    const target = aliases[lane] as IFunction | undefined;
    if (target !== undefined) {
      source.grantConsumeMessages(worker);
      source.grantSendMessages(router);
      new EventSourceMapping(stack, `Mapping${lane}${index}`, {
        target,
        eventSourceArn: source.queueArn,
        batchSize: 1,
      });
    }
  });
});
inbox.grantConsumeMessages(router);
new EventSourceMapping(stack, 'MappingInbox', { target: live, eventSourceArn: inbox.queueArn });
for (const fn of [worker, router, api]) {
  payloads.grantReadWrite(fn);
  webhooks.grantSendMessages(fn);
}
signingKey.grantRead(webhook);
webhooks.grantConsumeMessages(webhook);
new EventSourceMapping(stack, 'MappingWebhooks', {
  target: webhook,
  eventSourceArn: webhooks.queueArn,
  reportBatchItemFailures: true,
});
new Policy(stack, 'RouterAlias', {
  roles: router.role === undefined ? [] : [router.role],
  statements: [new PolicyStatement({ actions: ['lambda:GetAlias'], resources: [router.functionArn] })],
});

const http = new HttpApi(stack, 'Api', { createDefaultStage: false, defaultAuthorizer: new HttpIamAuthorizer() });
http.addRoutes({
  path: '/tasks',
  methods: [HttpMethod.POST],
  integration: new HttpLambdaIntegration('Submit', live),
});
const status = new HttpLambdaIntegration('Status', api);
http.addRoutes({ path: '/tasks/{id}', methods: [HttpMethod.GET, HttpMethod.DELETE], integration: status });
http.addRoutes({ path: '/tasks/{id}/feedback', methods: [HttpMethod.POST], integration: status });
new HttpStage(stack, 'Stage', {
  httpApi: http,
  autoDeploy: true,
  accessLogSettings: {
    destination: new LogGroupLogDestination(new LogGroup(stack, 'AccessLogs', { retention: RetentionDays.ONE_MONTH })),
  },
});

function metric(metricName: string, statistic: string): Metric {
  return new Metric({ namespace: 'Plain', metricName, statistic, dimensionsMap: { Agent: 'plain' } });
}
const gates = ['Cost', 'Latency', 'Errors', 'ToolCalls', 'Quality'].map(
  (id) =>
    new Alarm(stack, `Gate${id}`, {
      metric: new MathExpression({
        expression: 'IF(n >= 20, v / s, 0)',
        usingMetrics: { n: metric('Finished', 'Sum'), v: metric(id, 'Average'), s: metric(`${id}Stable`, 'Average') },
      }),
      threshold: 1,
      evaluationPeriods: 3,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    }),
);
['Stable', 'Candidate', 'Inbox', 'Webhooks'].forEach((id) => {
  new Alarm(stack, `DeadLetters${id}`, {
    metric: metric(`DeadLetters${id}`, 'Maximum'),
    threshold: 1,
    evaluationPeriods: 1,
  });
});
new Dashboard(stack, 'Dashboard', { widgets: [gates.map((gate) => new GraphWidget({ left: [gate.metric] }))] });

const record = new CustomResource(stack, 'Record', {
  serviceToken: recorder.functionArn,
  resourceType: 'Custom::AgentLanesReleaseRecord',
  properties: { Version: worker.currentVersion.version, Key: document.s3ObjectKey },
});
aliases[1]?.node.addDependency(record);
const group = new LambdaDeploymentGroup(stack, 'DeploymentGroup', {
  application: new LambdaApplication(stack, 'Application'),
  alias: live,
  deploymentConfig: LambdaDeploymentConfig.CANARY_10PERCENT_10MINUTES,
  alarms: gates,
  preHook: preflight,
  postHook: evidence,
});
live.node.addDependency(group);
const checked = new CustomResource(stack, 'Checked', {
  serviceToken: check.functionArn,
  resourceType: 'Custom::AgentLanesRolloutCheck',
  properties: { Version: router.currentVersion.version },
});
checked.node.addDependency(live);
new CustomResource(stack, 'Promoted', {
  serviceToken: recorder.functionArn,
  resourceType: 'Custom::AgentLanesPromotedRecord',
  properties: { Version: worker.currentVersion.version, Topic: topic.topicArn },
}).node.addDependency(checked);
