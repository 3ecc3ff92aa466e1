import { Duration } from 'aws-cdk-lib';
import { Annotations, Match } from 'aws-cdk-lib/assertions';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { type AgentServiceProps, type BacklogLimits, IntakeAuth, Webhooks } from '../../../lib';
import { backlogLimitsSchema, Env } from '../../../lib/contract';
import { supportAgent } from '../../support/agent-service';
import { testStack } from '../../support/stack';
import { named, type Resources, resourcesOf, shortName } from '../../support/template';

function synthesize(props: Partial<AgentServiceProps> = {}): Resources {
  const stack = testStack();
  supportAgent(stack, { agentName: 'support', ...props });
  return resourcesOf(stack);
}

const ofType = (resources: Resources, type: string) => Object.values(resources).filter(({ Type }) => Type === type);

describe('HTTP API', () => {
  const resources = synthesize();

  test('has four routes, all for signed requests', () => {
    expect(ofType(resources, 'AWS::ApiGatewayV2::Route').map(({ Properties }) => Properties)).toEqual([
      expect.objectContaining({ RouteKey: 'POST /tasks', AuthorizationType: 'AWS_IAM' }),
      expect.objectContaining({ RouteKey: 'GET /tasks/{id}', AuthorizationType: 'AWS_IAM' }),
      expect.objectContaining({ RouteKey: 'DELETE /tasks/{id}', AuthorizationType: 'AWS_IAM' }),
      expect.objectContaining({ RouteKey: 'POST /tasks/{id}/feedback', AuthorizationType: 'AWS_IAM' }),
    ]);
  });

  test('reaches the router through its alias, and the status function', () => {
    expect(
      ofType(resources, 'AWS::ApiGatewayV2::Integration').map(({ Properties }) => Properties?.IntegrationUri),
    ).toEqual([
      { Ref: named(resources, 'SupportIntakeLive') },
      { 'Fn::GetAtt': [named(resources, 'SupportIntakeStatus'), 'Arn'] },
    ]);
  });

  test('is throttled, keeps an access log, and answers no browser of another origin', () => {
    expect(resources[named(resources, 'SupportIntakeStage')]?.Properties).toMatchObject({
      StageName: '$default',
      DefaultRouteSettings: { ThrottlingRateLimit: 100, ThrottlingBurstLimit: 200 },
      AccessLogSettings: { Format: expect.stringContaining('$context.requestId') },
    });
    expect(resources[named(resources, 'SupportIntakeApi')]?.Properties).not.toHaveProperty('CorsConfiguration');
  });

  test('is outlived by no function behind it: an HTTP API waits 30 seconds', () => {
    for (const name of ['SupportIntakeRouter', 'SupportIntakeStatus']) {
      expect(resources[named(resources, name)]?.Properties?.Timeout).toBeLessThanOrEqual(29);
    }
  });

  test('with JWT checks the token and tells the functions so', () => {
    const jwt = synthesize({ intake: { auth: IntakeAuth.jwt('https://id.example.com/', ['web', 'app']) } });
    expect(ofType(jwt, 'AWS::ApiGatewayV2::Authorizer')).toHaveLength(1);
    expect(ofType(jwt, 'AWS::ApiGatewayV2::Authorizer')[0]?.Properties).toMatchObject({
      AuthorizerType: 'JWT',
      JwtConfiguration: { Issuer: 'https://id.example.com/', Audience: ['web', 'app'] },
    });
    for (const { Properties } of ofType(jwt, 'AWS::ApiGatewayV2::Route')) {
      expect(Properties?.AuthorizationType).toBe('JWT');
    }
    for (const name of ['SupportIntakeRouter', 'SupportIntakeStatus']) {
      expect(jwt[named(jwt, name)]?.Properties).toMatchObject({
        Environment: { Variables: { [Env.AUTH]: 'jwt' } },
      });
    }
  });

  test.each([
    ['http://id.example.com', /issuer must be an https URL .*got 'http:\/\/id.example.com'/],
    ['id.example.com', /issuer must be an https URL/],
  ])('refuses the issuer %s', (issuer, message) => {
    expect(() => synthesize({ intake: { auth: IntakeAuth.jwt(issuer, ['web']) } })).toThrow(message);
  });

  test('refuses an empty audience', () => {
    expect(() => synthesize({ intake: { auth: IntakeAuth.jwt('https://id.example.com/', []) } })).toThrow(
      /MissingJwtAudience: audience must have at least one value/,
    );
  });
});

describe('router', () => {
  const resources = synthesize({ taskRetention: Duration.days(7) });
  const router = resources[named(resources, 'SupportIntakeRouter')];

  test('knows what it needs, and gets a new version whenever the worker does', () => {
    expect(router?.Properties).toMatchObject({
      Environment: {
        Variables: {
          [Env.AGENT]: 'support',
          [Env.RELEASE]: expect.stringMatching(/^r-[0-9a-f]{12}$/),
          [Env.WORKER_VERSION]: { 'Fn::GetAtt': [named(resources, 'SupportWorkerFunctionCurrentVersion'), 'Version'] },
          [Env.TASKS_TABLE]: { Ref: named(resources, 'SupportStoreTasks') },
          [Env.CONTROL_TABLE]: { Ref: named(resources, 'SupportStoreControl') },
          [Env.PAYLOAD_BUCKET]: { Ref: named(resources, 'SupportStorePayloads') },
          [Env.BACKLOG_LIMITS]: '{"high":3600,"normal":900,"low":300}',
          [Env.AUTH]: 'iam',
          [Env.TASK_RETENTION_DAYS]: '7',
        },
      },
    });
  });

  test('has memory for a body of 4 MiB', () => {
    expect(router?.Properties?.MemorySize).toBeGreaterThanOrEqual(1024);
  });

  test('has the URLs of all six queues, by lane and priority', () => {
    const environment = router?.Properties?.Environment as { Variables: Record<string, unknown> } | undefined;
    const queues = environment?.Variables[Env.QUEUES] as { 'Fn::Join': [string, unknown[]] } | undefined;
    const joined = queues?.['Fn::Join'][1] ?? [];
    const text = joined.map((part) => (typeof part === 'string' ? part : Object.values(part as object)[0])).join('');
    const urls = (lane: string) => ({
      high: named(resources, `Support${lane}High`),
      normal: named(resources, `Support${lane}Normal`),
      low: named(resources, `Support${lane}Low`),
    });
    expect(JSON.parse(text)).toEqual({ stable: urls('Stable'), candidate: urls('Candidate') });
  });

  test('may look at its own aliases by a policy that it does not wait for', () => {
    expect(resources[named(resources, 'SupportIntakeRouterAliasPolicy')]?.Properties).toMatchObject({
      PolicyDocument: {
        Statement: [
          { Action: 'lambda:GetAlias', Resource: { 'Fn::GetAtt': [named(resources, 'SupportIntakeRouter'), 'Arn'] } },
        ],
      },
      Roles: [{ Ref: named(resources, 'SupportIntakeRouterRole') }],
    });
    expect(router?.DependsOn).not.toContain(named(resources, 'SupportIntakeRouterAliasPolicy'));
  });

  test.each([
    [Duration.hours(12), /whole number of days/],
    [Duration.days(0), /InvalidTaskRetention: taskRetention must be whole days, at least 1, got 0 days/],
  ])('refuses to keep tasks for other than whole days (%#)', (taskRetention, message) => {
    expect(() => synthesize({ taskRetention })).toThrow(message);
  });
});

describe('status function', () => {
  test('knows where tasks, results and queues are', () => {
    const resources = synthesize();
    expect(resources[named(resources, 'SupportIntakeStatus')]?.Properties).toMatchObject({
      Environment: {
        Variables: {
          [Env.AGENT]: 'support',
          [Env.TASKS_TABLE]: { Ref: named(resources, 'SupportStoreTasks') },
          [Env.CONTROL_TABLE]: { Ref: named(resources, 'SupportStoreControl') },
          [Env.PAYLOAD_BUCKET]: { Ref: named(resources, 'SupportStorePayloads') },
          [Env.QUEUES]: expect.anything(),
          [Env.AUTH]: 'iam',
          [Env.TASK_RETENTION_DAYS]: '30',
        },
      },
    });
  });

  test('serves three routes through one integration', () => {
    const resources = synthesize();
    const behind = ofType(resources, 'AWS::ApiGatewayV2::Route').map(({ Properties }) =>
      JSON.stringify(Properties?.Target),
    );
    expect(new Set(behind).size).toBe(2);
  });
});

describe('backpressure', () => {
  const limits = (backpressure: BacklogLimits) => {
    const resources = synthesize({ intake: { backpressure } });
    const environment = resources[named(resources, 'SupportIntakeRouter')]?.Properties?.Environment;
    const text =
      (environment as { Variables: Record<string, string> } | undefined)?.Variables[Env.BACKLOG_LIMITS] ?? '';
    return backlogLimitsSchema.parse(JSON.parse(text));
  };

  test('limits can be set one by one', () => {
    expect(limits({ low: Duration.minutes(1), high: Duration.days(14) })).toEqual({
      high: 14 * 86_400,
      normal: 900,
      low: 60,
    });
    expect(limits({ low: Duration.minutes(15) })).toEqual({ high: 3600, normal: 900, low: 900 });
  });

  test.each<[BacklogLimits, RegExp]>([
    [
      { low: Duration.minutes(20) },
      /ConflictingBacklogLimits: .*low ≤ normal ≤ high, got low 1200 s, normal 900 s, high 3600 s/,
    ],
    [{ high: Duration.minutes(10) }, /ConflictingBacklogLimits/],
    [
      { low: Duration.seconds(30) },
      /InvalidBacklogLimit: backpressure: limit of priority low must be whole minutes between 1 minute and 14 days, got 30 seconds/,
    ],
    [{ low: Duration.seconds(90) }, /InvalidBacklogLimit: .* got 1 minute 30 seconds/],
    [{ high: Duration.days(15) }, /InvalidBacklogLimit: .*priority high/],
  ])('refuses %j', (backpressure, message) => {
    expect(() => limits(backpressure)).toThrow(message);
  });

  test('router and status function may see how much waits, in the lanes and nowhere else', () => {
    const resources = synthesize();
    for (const name of ['SupportIntakeRouter', 'SupportIntakeStatus']) {
      const document = resources[named(resources, `${name}RoleDefaultPolicy`)]?.Properties?.PolicyDocument as {
        Statement: { Action: string | string[]; Resource: unknown }[];
      };
      const seen = document.Statement.filter(({ Action }) => [Action].flat().includes('sqs:GetQueueAttributes'))
        .flatMap(({ Resource }) => [Resource].flat() as { 'Fn::GetAtt': [string, string] }[])
        .map((queue) => shortName(queue['Fn::GetAtt'][0]))
        .filter((queue) => queue !== 'SupportIntakeInbox');
      expect(seen.sort()).toEqual(
        ['Candidate', 'Stable'].flatMap((lane) => ['High', 'Low', 'Normal'].map((queue) => `Support${lane}${queue}`)),
      );
      expect(document.Statement).toContainEqual(
        expect.objectContaining({ Action: expect.arrayContaining(['cloudwatch:GetMetricData']), Resource: '*' }),
      );
    }
  });
});

describe('webhooks', () => {
  const variables = (resources: Resources, name: string) =>
    (resources[named(resources, name)]?.Properties?.Environment as { Variables: Record<string, unknown> } | undefined)
      ?.Variables ?? {};

  test('without them, functions are told of no queue', () => {
    const resources = synthesize();
    for (const name of ['SupportIntakeRouter', 'SupportIntakeStatus']) {
      expect(variables(resources, name)).not.toHaveProperty(Env.WEBHOOK_QUEUE);
      expect(variables(resources, name)).not.toHaveProperty(Env.WEBHOOK_PRIVATE_HOSTS);
    }
  });

  test('with them, the router knows which hosts are allowed, and the status function may tell of what it cancelled', () => {
    const resources = synthesize({ webhooks: Webhooks.signed({ privateHosts: ['hooks.internal'] }) });
    const queue = { Ref: named(resources, 'SupportWebhooksQueue') };
    expect(variables(resources, 'SupportIntakeRouter')).toMatchObject({
      [Env.WEBHOOK_QUEUE]: queue,
      [Env.WEBHOOK_PRIVATE_HOSTS]: '["hooks.internal"]',
    });
    expect(variables(resources, 'SupportIntakeStatus')).toMatchObject({ [Env.WEBHOOK_QUEUE]: queue });
    const policy = (name: string) =>
      JSON.stringify(resources[named(resources, `${name}RoleDefaultPolicy`)]?.Properties);
    expect(policy('SupportIntakeStatus')).toContain(named(resources, 'SupportWebhooksQueue'));
    expect(policy('SupportIntakeRouter')).not.toContain(named(resources, 'SupportWebhooksQueue'));
  });
});

describe('inbox', () => {
  test('is read by the router through its alias, message by message', () => {
    const resources = synthesize();
    expect(resources[named(resources, 'SupportIntakeInboxMapping')]?.Properties).toMatchObject({
      EventSourceArn: { 'Fn::GetAtt': [named(resources, 'SupportIntakeInbox'), 'Arn'] },
      FunctionName: { 'Fn::Join': ['', [expect.anything(), ':live']] },
      FunctionResponseTypes: ['ReportBatchItemFailures'],
    });
    const timeout = Number(resources[named(resources, 'SupportIntakeRouter')]?.Properties?.Timeout);
    expect(resources[named(resources, 'SupportIntakeInbox')]?.Properties).toMatchObject({
      VisibilityTimeout: 6 * timeout,
      RedrivePolicy: { maxReceiveCount: 5 },
      SqsManagedSseEnabled: true,
    });
    expect(resources[named(resources, 'SupportIntakeInboxDeadLetterAlarm')]?.Properties).toMatchObject({
      AlarmActions: [{ Ref: named(resources, 'SupportAlerts') }],
    });
  });

  test('that is handed in is used as it is', () => {
    const stack = testStack();
    supportAgent(stack, { intake: { inbox: new Queue(stack, 'Events') } });
    const resources = resourcesOf(stack);
    expect(Object.keys(resources).filter((id) => id.startsWith('SupportIntakeInbox'))).toEqual([
      named(resources, 'SupportIntakeInboxMapping'),
    ]);
    expect(resources[named(resources, 'SupportIntakeInboxMapping')]?.Properties).toMatchObject({
      EventSourceArn: { 'Fn::GetAtt': [named(resources, 'Events'), 'Arn'] },
    });
  });
});

describe('an inbox handed in without a dead-letter queue', () => {
  const warnings = (deadLetters: boolean) => {
    const stack = testStack();
    const queue = new Queue(stack, 'DeadLetters');
    const inbox = new Queue(stack, 'Events', deadLetters ? { deadLetterQueue: { queue, maxReceiveCount: 5 } } : {});
    supportAgent(stack, { intake: { inbox } });
    return Annotations.fromStack(stack).findWarning(
      '/Test/Support/Intake',
      Match.stringLikeRegexp('cdk-agent-lanes:inboxWithoutDeadLetters'),
    );
  };

  test('gets a warning', () => {
    expect(warnings(false)).toHaveLength(1);
    expect(warnings(true)).toEqual([]);
  });
});

describe('grants', () => {
  function statements(grant: 'submit' | 'read' | 'cancel' | 'feedback' | 'redrive' | 'readTranscripts'): unknown {
    const stack = testStack();
    const agent = supportAgent(stack);
    const caller = new Role(stack, 'Caller', { assumedBy: new ServicePrincipal('ec2.amazonaws.com') });
    agent.grants[grant](caller);
    const resources = resourcesOf(stack);
    const document = resources[named(resources, 'CallerDefaultPolicy')]?.Properties?.PolicyDocument;
    return JSON.parse(
      JSON.stringify((document as { Statement: unknown }).Statement)
        .replaceAll(named(resources, 'SupportIntakeApi'), 'Api')
        .replaceAll(named(resources, 'SupportIntakeInbox'), 'Inbox')
        .replaceAll(named(resources, 'SupportRedriveFunction'), 'Redrive')
        .replaceAll(named(resources, 'SupportStorePayloads'), 'Payloads'),
    );
  }
  const api = (path: string) => ({
    'Fn::Join': [
      '',
      [
        'arn:',
        { Ref: 'AWS::Partition' },
        ':execute-api:',
        { Ref: 'AWS::Region' },
        ':',
        { Ref: 'AWS::AccountId' },
        ':',
        { Ref: 'Api' },
        path,
      ],
    ],
  });

  test('submit is the one method on the one path, and the inbox', () => {
    expect(statements('submit')).toEqual([
      { Effect: 'Allow', Action: 'execute-api:Invoke', Resource: api('/$default/POST/tasks') },
      { Effect: 'Allow', Action: 'sqs:SendMessage', Resource: { 'Fn::GetAtt': ['Inbox', 'Arn'] } },
    ]);
  });

  test('read is GET on tasks', () => {
    expect(statements('read')).toEqual([
      { Effect: 'Allow', Action: 'execute-api:Invoke', Resource: api('/$default/GET/tasks/*') },
    ]);
  });

  test('cancel is DELETE on tasks', () => {
    expect(statements('cancel')).toEqual([
      { Effect: 'Allow', Action: 'execute-api:Invoke', Resource: api('/$default/DELETE/tasks/*') },
    ]);
  });

  test('feedback is POST below a task', () => {
    expect(statements('feedback')).toEqual([
      { Effect: 'Allow', Action: 'execute-api:Invoke', Resource: api('/$default/POST/tasks/*/feedback') },
    ]);
  });

  test('redrive is the invocation of one function', () => {
    expect(statements('redrive')).toEqual([
      { Effect: 'Allow', Action: 'lambda:InvokeFunction', Resource: { 'Fn::GetAtt': ['Redrive', 'Arn'] } },
    ]);
  });

  test('readTranscripts is what lies below transcripts/', () => {
    expect(statements('readTranscripts')).toEqual([
      {
        Effect: 'Allow',
        Action: 's3:GetObject',
        Resource: { 'Fn::Join': ['', [{ 'Fn::GetAtt': ['Payloads', 'Arn'] }, '/transcripts/*']] },
      },
      {
        Effect: 'Allow',
        Action: 's3:ListBucket',
        Resource: { 'Fn::GetAtt': ['Payloads', 'Arn'] },
        Condition: { StringLike: { 's3:prefix': 'transcripts/*' } },
      },
    ]);
  });
});
