import type { IncomingHttpHeaders } from 'node:http';

/** What a request is, once its route and its caller are known. */
export interface ProxyRequest {
  readonly accountId: string;
  readonly apiId: string;
  readonly domainName: string;
  readonly stage: string;
  readonly stageVariables: Readonly<Record<string, string>> | undefined;
  readonly requestId: string;
  readonly routeKey: string;
  readonly method: string;
  /** With the stage's prefix, as the caller sent it. */
  readonly rawPath: string;
  readonly rawQuery: string;
  readonly headers: IncomingHttpHeaders;
  readonly pathParameters: Readonly<Record<string, string>>;
  readonly authorizer: Readonly<Record<string, unknown>> | undefined;
  readonly sourceIp: string;
  readonly body: Buffer;
  /** Cloud milliseconds since 1970. */
  readonly time: number;
}

const TEXT_TYPES = /^(text\/.*|application\/(json|javascript|xml)|application\/.*\+(json|xml))\s*(;|$)/i;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

/**
 * The event in payload format 2.0.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */
export function proxyEvent(request: ProxyRequest): Record<string, unknown> {
  const { cookie, ...others } = request.headers;
  const headers = Object.fromEntries(
    Object.entries(others).flatMap(([name, value]) => (value === undefined ? [] : [[name, [value].flat().join(',')]])),
  );
  const text = isText(headers['content-type'], request.body);
  const query = queryParameters(request.rawQuery);
  return {
    version: '2.0',
    routeKey: request.routeKey,
    rawPath: request.rawPath,
    rawQueryString: request.rawQuery,
    ...(cookie === undefined ? {} : { cookies: cookie.split(/;\s*/) }),
    headers,
    queryStringParameters: query,
    ...(Object.keys(request.pathParameters).length === 0 ? {} : { pathParameters: request.pathParameters }),
    stageVariables: request.stageVariables,
    requestContext: {
      accountId: request.accountId,
      apiId: request.apiId,
      authorizer: request.authorizer,
      domainName: request.domainName,
      domainPrefix: request.apiId,
      http: {
        method: request.method,
        path: request.rawPath,
        protocol: 'HTTP/1.1',
        sourceIp: request.sourceIp,
        userAgent: headers['user-agent'] ?? '',
      },
      requestId: request.requestId,
      routeKey: request.routeKey,
      stage: request.stage,
      time: requestTime(request.time),
      timeEpoch: Math.floor(request.time),
    },
    ...(request.body.length === 0 ? {} : { body: text ? request.body.toString() : request.body.toString('base64') }),
    isBase64Encoded: request.body.length > 0 && !text,
  };
}

/** `12/Mar/2030:19:03:58 +0000` */
export function requestTime(time: number): string {
  const date = new Date(time);
  const two = (value: number) => String(value).padStart(2, '0');
  const clock = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(':');
  return `${two(date.getUTCDate())}/${MONTHS[date.getUTCMonth()]}/${date.getUTCFullYear()}:${clock} +0000`;
}

/** A body of a type that is no text goes to the function in base64. */
function isText(contentType: string | undefined, body: Buffer): boolean {
  return contentType === undefined ? Buffer.from(body.toString()).equals(body) : TEXT_TYPES.test(contentType);
}

/** Repeated parameters are joined with commas. */
function queryParameters(rawQuery: string): Record<string, string> | undefined {
  if (rawQuery === '') {
    return undefined;
  }
  const parameters: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(rawQuery)) {
    const before = parameters[name];
    parameters[name] = before === undefined ? value : `${before},${value}`;
  }
  return parameters;
}
