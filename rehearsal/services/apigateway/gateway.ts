import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { credentialScope } from '../../api-server';
import type { RehearsalClock } from '../../core/clock';
import type { IamPort, LambdaPort, LogsPort, MetricsPort } from '../../core/ports';
import type { Principal } from '../../core/principal';
import { REHEARSAL_ACCOUNT, REHEARSAL_REGION } from '../../core/resource';
import { ServiceError } from '../../core/service';
import { accessLogLine, type LogContext } from './access-log';
import { checkJwt } from './jwt';
import { type Api, DEFAULT_STAGE, type JwtAuthorizer, type Stage } from './model';
import { proxyEvent, requestTime } from './proxy-event';
import { type GatewayResponse, gatewayResponse, proxyResponse } from './proxy-response';
import { matchRoute, type RouteMatch } from './route-match';
import { TokenBucket } from './throttle';

/** Largest body of a request. Bytes. @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html */
const MAX_BODY = 10_485_760;

export interface GatewayDeps {
  readonly clock: RehearsalClock;
  readonly iam: IamPort;
  readonly logs: LogsPort;
  readonly metrics: MetricsPort;
  readonly lambda: LambdaPort;
}

/** A request, with what is known of it so far. */
interface RequestContext {
  readonly request: IncomingMessage;
  readonly requestId: string;
  readonly stage: Stage;
  readonly method: string;
  /** Without the stage's prefix. */
  readonly path: string;
  readonly rawPath: string;
  readonly rawQuery: string;
  /** Cloud milliseconds since 1970. */
  readonly time: number;
  readonly log: Record<string, string | number | undefined>;
}

type Authorized =
  | { readonly kind: 'allowed'; readonly authorizer: Readonly<Record<string, unknown>> | undefined }
  | { readonly kind: 'refused'; readonly answer: GatewayResponse };

/**
 * Serves the requests of one HTTP API: stage, route, throttle, authorization, function, response, access log, metrics.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api.html
 */
export class Gateway {
  readonly #api: Api;
  /** Path below which the API is mounted. */
  readonly #prefix: string;
  readonly #deps: GatewayDeps;
  readonly #throttles = new WeakMap<Stage, TokenBucket>();

  constructor(api: Api, prefix: string, deps: GatewayDeps) {
    this.#api = api;
    this.#prefix = prefix;
    this.#deps = deps;
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const started = performance.now();
    const context = this.#open(request);
    if (context === undefined) {
      send(response, gatewayResponse(404, 'Not Found'), randomUUID());
      return;
    }
    const answer = await this.#answer(context);
    send(response, answer, context.requestId);
    this.#record(context, answer, performance.now() - started);
  }

  #open(request: IncomingMessage): RequestContext | undefined {
    const [fullPath = '', rawQuery = ''] = split(request.url ?? '', '?');
    const rawPath = fullPath.slice(this.#prefix.length) || '/';
    const [, first = ''] = rawPath.split('/');
    const named = this.#api.stages.get(first);
    const stage = named ?? this.#api.stages.get(DEFAULT_STAGE);
    if (stage === undefined) {
      return undefined;
    }
    return {
      request,
      requestId: randomBytes(12).toString('base64url'),
      stage,
      method: request.method ?? 'GET',
      path: named === undefined ? rawPath : rawPath.slice(first.length + 1) || '/',
      rawPath,
      rawQuery,
      time: this.#deps.clock.now(),
      log: {},
    };
  }

  async #answer(context: RequestContext): Promise<GatewayResponse> {
    const match = matchRoute(this.#api.routes.values(), context.method, context.path);
    if (match === undefined) {
      return gatewayResponse(404, 'Not Found');
    }
    context.log.routeKey = match.route.key;
    if (!this.#throttleOf(context.stage).tryAcquire()) {
      return gatewayResponse(429, 'Too Many Requests');
    }
    const authorized = this.#authorize(context, match);
    if (authorized.kind === 'refused') {
      return authorized.answer;
    }
    const body = await readBody(context.request);
    if (body === undefined) {
      return gatewayResponse(413, 'Request Entity Too Large');
    }
    return this.#invoke(context, match, authorized.authorizer, body);
  }

  #throttleOf(stage: Stage): TokenBucket {
    let throttle = this.#throttles.get(stage);
    if (throttle === undefined) {
      throttle = new TokenBucket(this.#deps.clock, stage.throttle);
      this.#throttles.set(stage, throttle);
    }
    return throttle;
  }

  #authorize(context: RequestContext, { route }: RouteMatch): Authorized {
    if (route.authorization === 'NONE') {
      return { kind: 'allowed', authorizer: undefined };
    }
    if (route.authorization === 'AWS_IAM') {
      return this.#authorizeIam(context);
    }
    const authorizer = this.#api.authorizers.get(route.authorizerId ?? '');
    if (authorizer === undefined) {
      throw new Error(`API ${this.#api.id}, route ${route.key}: no authorizer ${route.authorizerId}`);
    }
    const token = tokenOf(context, authorizer);
    const result = checkJwt(token, authorizer, route.scopes, this.#deps.clock.now());
    if ('claims' in result) {
      for (const [name, value] of Object.entries(result.claims)) {
        context.log[`authorizer.claims.${name}`] = value;
      }
      return { kind: 'allowed', authorizer: { jwt: { claims: result.claims, scopes: result.scopes } } };
    }
    context.log['authorizer.error'] = result.reason;
    return {
      kind: 'refused',
      answer:
        result.refused === 'forbidden'
          ? gatewayResponse(403, 'Forbidden')
          : gatewayResponse(401, 'Unauthorized', { 'www-authenticate': 'Bearer' }),
    };
  }

  /** @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control-iam.html */
  #authorizeIam(context: RequestContext): Authorized {
    const refused: Authorized = { kind: 'refused', answer: gatewayResponse(403, 'Forbidden') };
    const scope = credentialScope(context.request.headers);
    const principal = scope === undefined ? undefined : this.#deps.iam.principalOf(scope.accessKeyId);
    if (scope?.signingName !== 'execute-api' || principal === undefined) {
      context.log['error.message'] = 'not signed for execute-api by a known principal';
      return refused;
    }
    const resource = this.#executeApiArn(context, context.path);
    const decision = this.#deps.iam.decide(principal, { action: 'execute-api:Invoke', resource });
    if (!decision.allowed) {
      context.log['error.message'] = decision.reason;
      return refused;
    }
    const userArn = userArnOf(principal);
    context.log['identity.userArn'] = userArn;
    context.log['identity.caller'] = principal.label;
    context.log['identity.user'] = principal.label;
    return {
      kind: 'allowed',
      authorizer: {
        iam: {
          accessKey: scope.accessKeyId,
          accountId: REHEARSAL_ACCOUNT,
          callerId: `AROAREHEARSAL:${principal.label}`,
          cognitoIdentity: null,
          principalOrgId: null,
          userArn,
          userId: `AROAREHEARSAL:${principal.label}`,
        },
      },
    };
  }

  async #invoke(
    context: RequestContext,
    { route, pathParameters }: RouteMatch,
    authorizer: Readonly<Record<string, unknown>> | undefined,
    body: Buffer,
  ): Promise<GatewayResponse> {
    const integration = this.#api.integrations.get(route.integrationId);
    if (integration === undefined) {
      throw new Error(`API ${this.#api.id}, route ${route.key}: no integration ${route.integrationId}`);
    }
    const { request, stage } = context;
    const traceHeader = traceHeaderOf(request);
    const event = proxyEvent({
      accountId: REHEARSAL_ACCOUNT,
      apiId: this.#api.id,
      domainName: request.headers.host ?? '127.0.0.1',
      stage: stage.name,
      stageVariables: stage.variables,
      requestId: context.requestId,
      routeKey: route.key,
      method: context.method,
      rawPath: context.rawPath,
      rawQuery: context.rawQuery,
      headers: { ...request.headers, 'x-amzn-trace-id': traceHeader },
      pathParameters,
      authorizer,
      sourceIp: request.socket.remoteAddress ?? '127.0.0.1',
      body,
      time: context.time,
    });
    const started = performance.now();
    // The source ARN names the route's path, not the caller's.
    const templatePath = route.key === '$default' ? '/$default' : route.key.slice(route.key.indexOf(' ') + 1);
    const invocation = this.#deps.lambda.invoke({
      function: integration.functionArn,
      payload: JSON.stringify(event),
      type: 'RequestResponse',
      invoker: { service: 'apigateway.amazonaws.com', sourceArn: this.#executeApiArn(context, templatePath) },
      traceHeader,
    });
    try {
      const result = await withTimeout(invocation, integration.timeoutMs);
      context.log.integrationLatency = Math.round(performance.now() - started);
      if (result === undefined) {
        context.log.integrationErrorMessage = `no answer within ${integration.timeoutMs} ms`;
        return gatewayResponse(503, 'Service Unavailable');
      }
      context.log.integrationStatus = result.status;
      if (result.functionError !== undefined) {
        context.log.integrationErrorMessage = `the function failed: ${result.payload.slice(0, 500)}`;
        return gatewayResponse(500, 'Internal Server Error');
      }
      const answer = proxyResponse(result.payload);
      if (answer === undefined) {
        context.log.integrationErrorMessage = 'the response of the function has no valid form';
      }
      return answer ?? gatewayResponse(500, 'Internal Server Error');
    } catch (error) {
      if (!(error instanceof ServiceError)) {
        throw error;
      }
      context.log.integrationErrorMessage = `${error.code}: ${error.message}`;
      return ERRORS[error.code] ?? gatewayResponse(500, 'Internal Server Error');
    }
  }

  #executeApiArn(context: RequestContext, path: string): string {
    return `arn:aws:execute-api:${REHEARSAL_REGION}:${REHEARSAL_ACCOUNT}:${this.#api.id}/${context.stage.name}/${context.method}${path}`;
  }

  #record(context: RequestContext, answer: GatewayResponse, latencyMs: number): void {
    const { stage, log } = context;
    const sets: Record<string, string>[] = [{ ApiId: this.#api.id }, { ApiId: this.#api.id, Stage: stage.name }];
    const put = (name: string, value: number, unit: string) => {
      for (const dimensions of sets) {
        this.#deps.metrics.put('AWS/ApiGateway', name, dimensions, [value], unit);
      }
    };
    put('Count', 1, 'Count');
    put('4xx', answer.status >= 400 && answer.status < 500 ? 1 : 0, 'Count');
    put('5xx', answer.status >= 500 ? 1 : 0, 'Count');
    put('Latency', latencyMs, 'Milliseconds');
    if (typeof log.integrationLatency === 'number') {
      put('IntegrationLatency', log.integrationLatency, 'Milliseconds');
    }
    if (stage.accessLog === undefined) {
      return;
    }
    const { request } = context;
    const logContext: LogContext = {
      accountId: REHEARSAL_ACCOUNT,
      apiId: this.#api.id,
      stage: stage.name,
      requestId: context.requestId,
      extendedRequestId: context.requestId,
      requestTime: requestTime(context.time),
      requestTimeEpoch: Math.floor(context.time),
      httpMethod: context.method,
      path: context.rawPath,
      protocol: 'HTTP/1.1',
      status: answer.status,
      responseLength: Buffer.byteLength(answer.body),
      responseLatency: Math.round(latencyMs),
      domainName: request.headers.host,
      'identity.sourceIp': request.socket.remoteAddress,
      'identity.userAgent': request.headers['user-agent'],
      'identity.accountId': log['identity.userArn'] === undefined ? undefined : REHEARSAL_ACCOUNT,
      'integration.latency': log.integrationLatency,
      'integration.status': log.integrationStatus,
      'integration.error': log.integrationErrorMessage,
      ...log,
    };
    const stream = `${this.#api.id}/${stage.name}`;
    this.#deps.logs.write(stage.accessLog.group, stream, accessLogLine(stage.accessLog.format, logContext));
  }
}

/** Errors of the Invoke API that are not answered with 500. */
const ERRORS: Readonly<Record<string, GatewayResponse>> = {
  TooManyRequestsException: gatewayResponse(503, 'Service Unavailable'),
  RequestTooLargeException: gatewayResponse(413, 'Request Entity Too Large'),
};

function userArnOf(principal: Principal): string {
  const role = /^arn:aws:iam::(\d+):role\/(?:.*\/)?([^/]+)$/.exec(principal.arn);
  return role === null
    ? `arn:aws:iam::${REHEARSAL_ACCOUNT}:user/${principal.label}`
    : `arn:aws:sts::${role[1]}:assumed-role/${role[2]}/${principal.label}`;
}

function tokenOf(context: RequestContext, authorizer: JwtAuthorizer): string | undefined {
  for (const source of authorizer.identitySources) {
    const [, where, name = ''] = /^\$request\.(header|querystring)\.(.+)$/.exec(source) ?? [];
    const value =
      where === 'header'
        ? [context.request.headers[name.toLowerCase()]].flat()[0]
        : new URLSearchParams(context.rawQuery).get(name);
    if (value) {
      return value.replace(/^Bearer\s+/i, '');
    }
  }
  return undefined;
}

/** The caller's trace, or a new one. */
function traceHeaderOf(request: IncomingMessage): string {
  const given = [request.headers['x-amzn-trace-id']].flat()[0];
  const seconds = Math.floor(Date.now() / 1000).toString(16);
  return given?.includes('Root=') ? given : `Root=1-${seconds}-${randomBytes(12).toString('hex')}`;
}

/** Undefined after the timeout (real milliseconds). */
async function withTimeout<T>(promise: Promise<T>, milliseconds: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), milliseconds);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
    // Ignore a failure after the timeout.
    promise.catch(() => undefined);
  }
}

/** Undefined for one that is too large; it is read to its end all the same, so that the caller gets to see the answer. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MAX_BODY) {
      chunks.push(chunk);
    }
  }
  return size <= MAX_BODY ? Buffer.concat(chunks) : undefined;
}

function send(response: ServerResponse, answer: GatewayResponse, requestId: string): void {
  if (response.destroyed) {
    return;
  }
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(answer.headers)) {
    headers[name] = typeof value === 'string' ? value : [...value];
  }
  response.writeHead(answer.status, {
    ...headers,
    'content-length': Buffer.byteLength(answer.body),
    'apigw-requestid': requestId,
  });
  response.end(answer.body);
}

function split(text: string, separator: string): readonly string[] {
  const index = text.indexOf(separator);
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + 1)];
}
