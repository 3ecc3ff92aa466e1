import { request as httpRequest } from 'node:http';
import type { Credentials } from '../../../rehearsal/core/principal';
import { OPERATOR_CREDENTIALS } from '../../../rehearsal/core/principal';
import type { ResourceHandler, ResourceOutcome } from '../../../rehearsal/core/resource';
import { createApiGateway } from '../../../rehearsal/services/apigateway';
import { ManualClock } from '../../support/manual-clock';
import { Stage } from '../lambda/support';

const ECHO = 'exports.handler = async (event) => ({ statusCode: 200, body: JSON.stringify(event) });';

describe('HTTP APIs', () => {
  let clock: ManualClock;
  let stage: Stage;
  let handlers: ReadonlyMap<string, ResourceHandler>;
  let apiId: string;
  let endpoint: string;
  let stop: () => Promise<void>;

  beforeEach(async () => {
    clock = new ManualClock();
    stage = await Stage.open({ clock });
    await stage.role();
    const api = createApiGateway({
      clock,
      iam: stage.iam,
      logs: { write: (group, stream, line) => stage.logLines.push(`${group} ${stream} ${line}`) },
      metrics: {
        put: (namespace, name, dimensions, values) => stage.metrics.push({ namespace, name, dimensions, values }),
        ingestLogLine: () => {},
        alarm: () => undefined,
        alarms: () => [],
      },
      lambda: stage.lambda.port,
      endpointUrl: () => stage.apiServer.url,
      mount: (prefix, handler) => stage.apiServer.mount(prefix, handler),
    });
    stop = api.stop;
    handlers = new Map(api.handlers.map((handler) => [handler.type, handler]));
    const outcome = await create('Api', { Name: 'tasks', ProtocolType: 'HTTP' });
    apiId = outcome.physicalId;
    endpoint = String(outcome.attributes.ApiEndpoint);
  });
  afterEach(async () => {
    await stop();
    await stage.close();
  });

  const request = (logicalId: string, properties: Record<string, unknown>) => ({
    stack: stage.stack,
    logicalId,
    path: logicalId,
    properties,
    report: () => {},
  });
  const handler = (kind: string): ResourceHandler => {
    const found = handlers.get(`AWS::ApiGatewayV2::${kind}`);
    if (found === undefined) {
      throw new Error(`no handler of ${kind}`);
    }
    return found;
  };
  const create = (kind: string, properties: Record<string, unknown>): Promise<ResourceOutcome> =>
    handler(kind).create(request(kind, properties));
  const defaultStage = (more: Record<string, unknown> = {}) =>
    create('Stage', { ApiId: apiId, StageName: '$default', AutoDeploy: true, ...more });
  const integrate = async (functionName: string, more: Record<string, unknown> = {}): Promise<string> => {
    const { physicalId } = await create('Integration', {
      ApiId: apiId,
      IntegrationType: 'AWS_PROXY',
      IntegrationUri: `arn:aws:lambda:us-east-1:123456789012:function:${functionName}`,
      PayloadFormatVersion: '2.0',
      ...more,
    });
    return physicalId;
  };
  const route = async (RouteKey: string, functionName: string, more: Record<string, unknown> = {}): Promise<string> => {
    const Target = `integrations/${await integrate(functionName)}`;
    return (await create('Route', { ApiId: apiId, RouteKey, Target, ...more })).physicalId;
  };
  const permit = (functionName: string, path: string) =>
    stage.create('AWS::Lambda::Permission', 'p', {
      Action: 'lambda:InvokeFunction',
      FunctionName: functionName,
      Principal: 'apigateway.amazonaws.com',
      SourceArn: `arn:aws:execute-api:us-east-1:123456789012:${apiId}/*/*${path}`,
    });
  /** A function behind a route, everything open. */
  const serve = async (RouteKey: string, source: string, more: Record<string, unknown> = {}): Promise<void> => {
    await stage.function('f', source, more);
    await defaultStage();
    await route(RouteKey, 'f');
    await permit('f', RouteKey.slice(RouteKey.indexOf(' ') + 1));
  };
  const call = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`${endpoint}${path}`, init);
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) };
  };
  const signed = (credentials: Credentials, signingName = 'execute-api') => ({
    authorization: `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/20300101/us-east-1/${signingName}/aws4_request, SignedHeaders=host, Signature=00`,
  });
  const bearer = (claims: Record<string, unknown>) => {
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    return { authorization: `Bearer ${part({ alg: 'none' })}.${part(claims)}.` };
  };

  test('hands a request over in payload format 2.0', async () => {
    await serve('POST /tasks/{id}', ECHO);
    const { status, json, headers } = await call('/tasks/a%20b?x=1&y=2&x=3', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'k', cookie: 'a=1; b=2' },
      body: '{"input":"ü"}',
    });
    expect(status).toBe(200);
    expect(headers.get('apigw-requestid')).toBeTruthy();
    const event = json();
    expect(event).toMatchObject({
      version: '2.0',
      routeKey: 'POST /tasks/{id}',
      rawPath: '/tasks/a%20b',
      rawQueryString: 'x=1&y=2&x=3',
      cookies: ['a=1', 'b=2'],
      queryStringParameters: { x: '1,3', y: '2' },
      pathParameters: { id: 'a b' },
      body: '{"input":"ü"}',
      isBase64Encoded: false,
      requestContext: {
        accountId: '123456789012',
        apiId,
        stage: '$default',
        routeKey: 'POST /tasks/{id}',
        http: {
          method: 'POST',
          path: '/tasks/a%20b',
          protocol: 'HTTP/1.1',
          sourceIp: expect.stringContaining('127.0.0.1'),
        },
        time: '01/Jan/2030:00:00:00 +0000',
        timeEpoch: clock.now(),
      },
    });
    expect(event.headers).toMatchObject({ 'idempotency-key': 'k', 'content-type': 'application/json' });
    expect(event.headers['x-amzn-trace-id']).toMatch(/^Root=1-/);
    expect(event.headers.cookie).toBeUndefined();
    expect(event.requestContext.authorizer).toBeUndefined();
  });

  test('passes bodies that are no text in base64', async () => {
    await serve('POST /b', ECHO);
    const bytes = new Uint8Array([0, 200, 255]);
    const { json } = await call('/b', { method: 'POST', headers: { 'content-type': 'image/png' }, body: bytes });
    expect(json()).toMatchObject({ isBase64Encoded: true, body: Buffer.from(bytes).toString('base64') });
  });

  test.each([
    [
      'an object with statusCode',
      '{ statusCode: 202, headers: { "X-A": 1 }, body: "queued" }',
      202,
      'queued',
      'text/plain;charset=UTF-8',
    ],
    ['a result without statusCode', '{ id: "t-1" }', 200, '{"id":"t-1"}', 'application/json'],
    ['a string', '"hello"', 200, 'hello', 'application/json'],
    [
      'base64',
      '{ statusCode: "200", headers: { "Content-Type": "text/html" }, isBase64Encoded: true, body: "aGk=" }',
      200,
      'hi',
      'text/html',
    ],
    [
      'a statusCode that is none',
      '{ statusCode: "many" }',
      500,
      '{"message":"Internal Server Error"}',
      'application/json',
    ],
    [
      'a body that is no string',
      '{ statusCode: 200, body: {} }',
      500,
      '{"message":"Internal Server Error"}',
      'application/json',
    ],
  ])('maps the response: %s', async (_what, result, status, body, type) => {
    await serve('GET /r', `exports.handler = async () => (${result});`);
    const response = await call('/r');
    expect([response.status, response.text, response.headers.get('content-type')]).toEqual([status, body, type]);
  });

  test('sends cookies as headers of their own', async () => {
    await serve('GET /r', 'exports.handler = async () => ({ statusCode: 204, cookies: ["a=1", "b=2; Secure"] });');
    const { headers } = await call('/r');
    expect(headers.getSetCookie()).toEqual(['a=1', 'b=2; Secure']);
  });

  test('prefers the more specific route', async () => {
    await defaultStage();
    for (const [index, key] of [
      '$default',
      'ANY /{proxy+}',
      'GET /tasks/{id}',
      'GET /tasks/latest',
      'ANY /tasks/{id}',
    ].entries()) {
      await stage.function(`f${index}`, `exports.handler = async () => ${JSON.stringify(key)};`);
      await route(key, `f${index}`);
      await stage.create('AWS::Lambda::Permission', `p${index}`, {
        Action: 'lambda:InvokeFunction',
        FunctionName: `f${index}`,
        Principal: 'apigateway.amazonaws.com',
      });
    }
    expect((await call('/tasks/latest')).text).toBe('GET /tasks/latest');
    expect((await call('/tasks/7')).text).toBe('GET /tasks/{id}');
    expect((await call('/tasks/7', { method: 'DELETE' })).text).toBe('ANY /tasks/{id}');
    expect((await call('/tasks/7/more')).text).toBe('ANY /{proxy+}');
    expect((await call('/')).text).toBe('$default');
  });

  test('serves named stages below their name, and says 404 for what it does not have', async () => {
    await stage.function('f', ECHO);
    await create('Stage', { ApiId: apiId, StageName: 'prod', AutoDeploy: true, StageVariables: { lane: 'stable' } });
    await route('GET /tasks', 'f');
    await permit('f', '/tasks');
    const { json } = await call('/prod/tasks');
    expect(json()).toMatchObject({
      rawPath: '/prod/tasks',
      stageVariables: { lane: 'stable' },
      requestContext: { stage: 'prod' },
    });
    for (const path of ['/tasks', '/prod/other']) {
      const missing = await call(path);
      expect([missing.status, missing.text]).toEqual([404, '{"message":"Not Found"}']);
    }
  });

  test('invokes an alias, and lets API Gateway in only with a permission on it', async () => {
    await stage.function('f', 'exports.handler = async (event, context) => context.invokedFunctionArn;');
    await stage.publish('f');
    stage.lambda.port.putAlias({ functionName: 'f', name: 'live', version: '1', weights: {} });
    await defaultStage();
    await route('GET /tasks', 'f:live');
    const denied = await call('/tasks');
    expect([denied.status, denied.text]).toEqual([500, '{"message":"Internal Server Error"}']);
    await permit('f:live', '/other');
    expect((await call('/tasks')).status).toBe(500);
    await permit('f:live', '/tasks');
    expect((await call('/tasks')).text).toMatch(/:function:f:live$/);
  });

  test('answers 500 when the function fails, and 503 when it is throttled', async () => {
    await stage.function('failing', 'exports.handler = async () => { throw new Error("bad"); };');
    await stage.function('throttled', 'exports.handler = async () => 1;', { ReservedConcurrentExecutions: 0 });
    await defaultStage();
    await route('GET /failing', 'failing');
    await permit('failing', '/failing');
    await route('GET /throttled', 'throttled');
    await permit('throttled', '/throttled');
    const failed = await call('/failing');
    expect([failed.status, failed.text]).toEqual([500, '{"message":"Internal Server Error"}']);
    const throttled = await call('/throttled');
    expect([throttled.status, throttled.text]).toEqual([503, '{"message":"Service Unavailable"}']);
  });

  test('answers 503 when the integration takes longer than its timeout', async () => {
    await stage.function('f', 'exports.handler = async () => new Promise((r) => setTimeout(r, 60000));', {
      Timeout: 60,
    });
    await defaultStage();
    const Target = `integrations/${await integrate('f', { TimeoutInMillis: 100 })}`;
    await create('Route', { ApiId: apiId, RouteKey: 'GET /slow', Target });
    await permit('f', '/slow');
    expect((await call('/slow')).status).toBe(503);
  });

  test('refuses a body of more than 10 MB with 413', async () => {
    await serve('POST /big', ECHO);
    const answer = await call('/big', { method: 'POST', body: 'x'.repeat(10_485_761) });
    expect([answer.status, answer.text]).toEqual([413, '{"message":"Request Entity Too Large"}']);
    expect((await call('/big', { method: 'POST', body: 'x'.repeat(20_000_000) })).status).toBe(413);
  });

  test('refuses a body that Lambda would not take as an event with 413', async () => {
    await serve('POST /big', 'exports.handler = async (event) => String(event.body.length);');
    expect((await call('/big', { method: 'POST', body: 'x'.repeat(5_000_000) })).text).toBe('5000000');
    const answer = await call('/big', { method: 'POST', body: 'x'.repeat(7_000_000) });
    expect([answer.status, answer.text]).toEqual([413, '{"message":"Request Entity Too Large"}']);
  });

  test('routes below one resource are told apart by method and path, with and without a body', async () => {
    await stage.function('f', ECHO);
    await defaultStage();
    for (const [method, path] of [
      ['GET', '/tasks/{id}'],
      ['DELETE', '/tasks/{id}'],
      ['POST', '/tasks/{id}/feedback'],
    ] as const) {
      await route(`${method} ${path}`, 'f');
      await permit('f', path);
    }
    const cancelled = (await call('/tasks/t-1', { method: 'DELETE' })).json();
    expect(cancelled).toMatchObject({ routeKey: 'DELETE /tasks/{id}', pathParameters: { id: 't-1' } });
    expect(cancelled).not.toHaveProperty('body');
    const judged = (await call('/tasks/t-1/feedback', { method: 'POST', body: '{"thumb":"up"}' })).json();
    expect(judged).toMatchObject({
      routeKey: 'POST /tasks/{id}/feedback',
      pathParameters: { id: 't-1' },
      body: '{"thumb":"up"}',
      isBase64Encoded: false,
    });
    expect((await call('/tasks/t-1/feedback', { method: 'DELETE' })).status).toBe(404);
  });

  test('IAM: lets in whom execute-api:Invoke is granted on the path, and tells the function who it is', async () => {
    await stage.function('f', ECHO);
    await defaultStage();
    await route('GET /tasks/{id}', 'f', { AuthorizationType: 'AWS_IAM' });
    await permit('f', '/tasks/{id}');
    const role = (
      await stage.create('AWS::IAM::Role', 'backend', {
        RoleName: 'backend',
        AssumeRolePolicyDocument: { Version: '2012-10-17', Statement: [] },
        Policies: [
          {
            PolicyName: 'read',
            PolicyDocument: {
              Version: '2012-10-17',
              Statement: [
                {
                  Effect: 'Allow',
                  Action: 'execute-api:Invoke',
                  Resource: `arn:aws:execute-api:us-east-1:123456789012:${apiId}/$default/GET/tasks/t-*`,
                },
              ],
            },
          },
        ],
      })
    ).attributes.Arn;
    const caller = stage.iam.sessionFor(String(role), 'shop');
    const { json, status } = await call('/tasks/t-1', { headers: signed(caller) });
    expect(status).toBe(200);
    expect(json().requestContext.authorizer.iam).toMatchObject({
      accountId: '123456789012',
      accessKey: caller.accessKeyId,
      userArn: 'arn:aws:sts::123456789012:assumed-role/backend/shop',
    });
    expect((await call('/tasks/t-1', { headers: signed(OPERATOR_CREDENTIALS) })).status).toBe(200);
    const refusals = [
      call('/tasks/other', { headers: signed(caller) }),
      call('/tasks/t-1', { headers: signed(caller, 'sqs') }),
      call('/tasks/t-1', { headers: signed({ ...caller, accessKeyId: 'ASIAUNKNOWN' }) }),
      call('/tasks/t-1'),
    ];
    for (const refusal of await Promise.all(refusals)) {
      expect([refusal.status, refusal.text]).toEqual([403, '{"message":"Forbidden"}']);
    }
  });

  describe('JWT', () => {
    const issuer = 'https://id.example.com';
    const valid = () => ({ iss: issuer, aud: 'app', sub: 'user-1', exp: clock.now() / 1000 + 60 });

    beforeEach(async () => {
      await stage.function('f', ECHO);
      await defaultStage();
      const { physicalId } = await create('Authorizer', {
        ApiId: apiId,
        AuthorizerType: 'JWT',
        IdentitySource: ['$request.header.Authorization'],
        JwtConfiguration: { Audience: ['app'], Issuer: issuer },
        Name: 'jwt',
      });
      await route('GET /tasks', 'f', { AuthorizationType: 'JWT', AuthorizerId: physicalId });
      await route('GET /admin', 'f', {
        AuthorizationType: 'JWT',
        AuthorizerId: physicalId,
        AuthorizationScopes: ['admin'],
      });
      await permit('f', '/*');
    });

    test('lets a valid token in and hands its claims over', async () => {
      const { status, json } = await call('/tasks', { headers: bearer({ ...valid(), groups: ['a', 'b'] }) });
      expect(status).toBe(200);
      expect(json().requestContext.authorizer.jwt).toEqual({
        claims: { iss: issuer, aud: 'app', sub: 'user-1', exp: String(clock.now() / 1000 + 60), groups: '[a b]' },
        scopes: null,
      });
      expect((await call('/tasks', { headers: bearer({ ...valid(), aud: undefined, client_id: 'app' }) })).status).toBe(
        200,
      );
    });

    test('expires tokens by the cloud’s clock', async () => {
      const headers = bearer(valid());
      await clock.advance(59_000);
      expect((await call('/tasks', { headers })).status).toBe(200);
      await clock.advance(1000);
      expect((await call('/tasks', { headers })).status).toBe(401);
    });

    test.each([
      ['no token', () => ({})],
      ['no JSON web token', () => ({ authorization: 'Bearer nonsense' })],
      ['another issuer', () => bearer({ ...valid(), iss: 'https://evil.example.com' })],
      ['another audience', () => bearer({ ...valid(), aud: ['other'] })],
      ['another audience, whatever the client id', () => bearer({ ...valid(), aud: 'other', client_id: 'app' })],
      ['no expiry', () => bearer({ ...valid(), exp: undefined })],
      ['a time before it is valid', () => bearer({ ...valid(), nbf: clock.now() / 1000 + 10 })],
    ])('refuses %s with 401', async (_what, headers) => {
      const refused = await call('/tasks', { headers: headers() });
      expect([refused.status, refused.text]).toEqual([401, '{"message":"Unauthorized"}']);
      expect(refused.headers.get('www-authenticate')).toBe('Bearer');
    });

    test('refuses a token without the scope of the route with 403', async () => {
      expect((await call('/admin', { headers: bearer({ ...valid(), scope: 'read' }) })).status).toBe(403);
      const { json } = await call('/admin', { headers: bearer({ ...valid(), scope: 'read admin' }) });
      expect(json().requestContext.authorizer.jwt.scopes).toEqual(['read', 'admin']);
    });
  });

  test('throttles by the stage’s limits in cloud time', async () => {
    await stage.function('f', 'exports.handler = async () => 1;');
    await defaultStage({ DefaultRouteSettings: { ThrottlingBurstLimit: 2, ThrottlingRateLimit: 1 } });
    await route('GET /r', 'f');
    await permit('f', '/r');
    const statuses = async (count: number) => {
      const seen: number[] = [];
      for (let index = 0; index < count; index += 1) {
        seen.push((await call('/r')).status);
      }
      return seen;
    };
    expect(await statuses(3)).toEqual([200, 200, 429]);
    await clock.advance(1000);
    expect(await statuses(2)).toEqual([200, 429]);
  });

  test('writes the access log and the metrics', async () => {
    await stage.function('f', 'exports.handler = async () => { throw new Error("bad"); };');
    await defaultStage({
      AccessLogSettings: {
        DestinationArn: 'arn:aws:logs:us-east-1:123456789012:log-group:/api/access:*',
        Format:
          '{"route":"$context.routeKey","status":"$context.status","agent":"$context.identity.userAgent","none":"$context.authorizer.error","why":"$context.integrationErrorMessage"}',
      },
    });
    await route('GET /r', 'f');
    await permit('f', '/r');
    await call('/r', { headers: { 'user-agent': 'a "quoted" agent' } });
    const line = stage.logLines.find((one) => one.startsWith('/api/access '));
    expect(JSON.parse(line?.split(' ').slice(2).join(' ') ?? '')).toEqual({
      route: 'GET /r',
      status: '500',
      agent: 'a "quoted" agent',
      none: '-',
      why: expect.stringContaining('bad'),
    });
    const values = (name: string) =>
      stage.metrics
        .filter((metric) => metric.namespace === 'AWS/ApiGateway' && metric.name === name)
        .filter((metric) => Object.keys(metric.dimensions).join() === 'ApiId')
        .flatMap((metric) => metric.values);
    expect(values('Count')).toEqual([1]);
    expect(values('5xx')).toEqual([1]);
    expect(values('4xx')).toEqual([0]);
    expect(values('Latency')).toHaveLength(1);
  });

  test('an updated integration is used at once; a deleted API is not there any more', async () => {
    await serve('GET /r', 'exports.handler = async () => "old";');
    await stage.function('g', 'exports.handler = async () => "new";');
    await stage.create('AWS::Lambda::Permission', 'pg', {
      Action: 'lambda:InvokeFunction',
      FunctionName: 'g',
      Principal: 'apigateway.amazonaws.com',
    });
    const Target = `integrations/${await integrate('g')}`;
    const properties = { ApiId: apiId, RouteKey: 'GET /other', Target };
    const { physicalId } = await create('Route', properties);
    expect((await call('/other')).text).toBe('new');
    await handler('Route').update({
      ...request('Route', { ...properties, RouteKey: 'GET /third' }),
      physicalId,
      previous: properties,
      rollback: false,
    });
    expect((await call('/third')).text).toBe('new');
    expect((await call('/other')).status).toBe(404);
    await handler('Route').delete({ stack: stage.stack, logicalId: 'Route', physicalId, properties });
    expect((await call('/third')).status).toBe(404);
    await handler('Api').delete({ stack: stage.stack, logicalId: 'Api', physicalId: apiId, properties: {} });
    expect((await call('/r')).status).toBe(404);
  });

  test('keeps the connection usable after an answer that did not read the body', async () => {
    await serve('GET /r', 'exports.handler = async () => 1;');
    const { status } = await call('/none', { method: 'POST', body: 'x'.repeat(100_000) });
    expect(status).toBe(404);
    expect((await call('/r')).status).toBe(200);
  });

  test.each([
    ['a WebSocket API', 'Api', { Name: 'x', ProtocolType: 'WEBSOCKET' }, /ProtocolType/],
    ['an API with CORS', 'Api', { Name: 'x', ProtocolType: 'HTTP', CorsConfiguration: {} }, /CorsConfiguration/],
    ['a stage that is deployed by hand', 'Stage', { StageName: 'x' }, /AutoDeploy/],
    [
      'a route without an integration',
      'Route',
      { RouteKey: 'GET /', Target: 'integrations/none' },
      /integration none not found/,
    ],
    ['a route key that is none', 'Route', { RouteKey: 'FETCH /', Target: 'integrations/none' }, /RouteKey/],
    [
      'an HTTP integration',
      'Integration',
      { IntegrationType: 'HTTP_PROXY', IntegrationUri: 'https://x' },
      /IntegrationType/,
    ],
    [
      'payload format 1.0',
      'Integration',
      { IntegrationType: 'AWS_PROXY', IntegrationUri: 'arn:aws:lambda:::function:f', PayloadFormatVersion: '1.0' },
      /PayloadFormatVersion/,
    ],
    ['an authorizer by a function', 'Authorizer', { AuthorizerType: 'REQUEST', Name: 'x' }, /AuthorizerType/],
  ])('refuses %s', async (_what, kind, properties, message) => {
    const all = kind === 'Api' ? properties : { ApiId: apiId, ...properties };
    await expect(create(kind, all)).rejects.toThrow(message);
  });

  test('refuses two routes with one key', async () => {
    await serve('GET /r', 'exports.handler = async () => 1;');
    await expect(route('GET /r', 'f')).rejects.toThrow('Route with key GET /r already exists');
  });

  test('a caller who goes away early does no harm', async () => {
    await serve('GET /r', 'exports.handler = async () => { await new Promise((r) => setTimeout(r, 100)); return 1; };');
    await new Promise<void>((resolve) => {
      const early = httpRequest(`${endpoint}/r`);
      early.on('error', () => resolve());
      early.end();
      setTimeout(() => early.destroy(), 30);
    });
    expect((await call('/r')).status).toBe(200);
  });
});
