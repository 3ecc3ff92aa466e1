import { type RehearsalService, RestResponse, ServiceError, type WireProtocol } from '../core/service';
import { encodeQuery, escapeXml } from './query';

/** A response on the wire. */
export interface WireResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

type ResponseProtocol = Pick<RehearsalService, 'protocol' | 'queryErrorCodes' | 'xmlNamespace'>;

const CONTENT_TYPE: Readonly<Record<WireProtocol, string>> = {
  'awsJson1.0': 'application/x-amz-json-1.0',
  'awsJson1.1': 'application/x-amz-json-1.1',
  restJson1: 'application/json',
  restXml: 'application/xml',
  awsQuery: 'text/xml',
};

function requestIdHeaders(protocol: WireProtocol, requestId: string): Record<string, string> {
  return protocol === 'restXml'
    ? { 'x-amz-request-id': requestId, 'x-amz-id-2': Buffer.from(requestId).toString('base64') }
    : { 'x-amzn-requestid': requestId };
}

/** An operation's output in the service's protocol. */
export function successResponse(
  service: ResponseProtocol,
  operation: string,
  output: unknown,
  requestId: string,
): WireResponse {
  const headers = requestIdHeaders(service.protocol, requestId);
  if (output instanceof RestResponse) {
    return { status: output.status, headers: { ...headers, ...output.headers }, body: output.body };
  }
  const typed = { ...headers, 'content-type': CONTENT_TYPE[service.protocol] };
  switch (service.protocol) {
    case 'awsJson1.0':
    case 'awsJson1.1':
      return { status: 200, headers: typed, body: toAwsJson(output ?? {}) };
    case 'restJson1':
      return output === undefined
        ? { status: 204, headers, body: '' }
        : { status: 200, headers: typed, body: toAwsJson(output) };
    case 'awsQuery':
      return {
        status: 200,
        headers: typed,
        body: encodeQuery(operation, output, requestId, service.xmlNamespace),
      };
    case 'restXml':
      throw new Error(`${operation}: a REST XML service must answer with a RestResponse`);
  }
}

/** An error as clients of the protocol recognize it. */
export function errorResponse(service: ResponseProtocol, error: ServiceError, requestId: string): WireResponse {
  const status = error.status;
  const fault = status >= 500 ? 'Receiver' : 'Sender';
  const headers = {
    ...requestIdHeaders(service.protocol, requestId),
    'content-type': CONTENT_TYPE[service.protocol],
  };
  switch (service.protocol) {
    case 'awsJson1.0':
    case 'awsJson1.1': {
      const old = service.queryErrorCodes;
      return {
        status,
        headers:
          old === undefined
            ? headers
            : { ...headers, 'x-amzn-query-error': `${old[error.code] ?? error.code};${fault}` },
        body: toAwsJson({ __type: error.code, message: error.message, ...error.members }),
      };
    }
    case 'restJson1':
      return {
        status,
        headers: { ...headers, 'x-amzn-errortype': error.code },
        body: toAwsJson({ Type: fault === 'Sender' ? 'User' : 'Service', message: error.message, ...error.members }),
      };
    case 'restXml':
      return {
        status,
        headers,
        body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${xmlMembers(error)}<RequestId>${requestId}</RequestId></Error>`,
      };
    case 'awsQuery': {
      const xmlns = service.xmlNamespace === undefined ? '' : ` xmlns="${escapeXml(service.xmlNamespace)}"`;
      return {
        status,
        headers,
        body: `<?xml version="1.0"?>\n<ErrorResponse${xmlns}><Error><Type>${fault}</Type>${xmlMembers(error)}</Error><RequestId>${requestId}</RequestId></ErrorResponse>`,
      };
    }
  }
}

function xmlMembers(error: ServiceError): string {
  return Object.entries({ Code: error.code, Message: error.message, ...error.members })
    .map(([name, value]) => `<${name}>${escapeXml(String(value))}</${name}>`)
    .join('');
}

/** The error for a call that policies do not allow. */
export function accessDenied(service: RehearsalService, message: string): ServiceError {
  const xml = service.protocol === 'restXml' || service.protocol === 'awsQuery';
  const json = service.protocol === 'awsJson1.0' || service.protocol === 'awsJson1.1';
  return new ServiceError(
    service.accessDeniedCode ?? (xml ? 'AccessDenied' : 'AccessDeniedException'),
    message,
    json && service.queryErrorCodes === undefined ? 400 : 403,
  );
}

/** JSON as the AWS JSON protocols write it: timestamps as seconds since 1970, binary data in base64. */
export function toAwsJson(value: unknown): string {
  return JSON.stringify(value, replace) ?? '{}';
}

/** `JSON.stringify` passes dates as strings; `this` still has the date. */
function replace(this: unknown, key: string, value: unknown): unknown {
  const raw = (this as Record<string, unknown>)[key];
  if (raw instanceof Date) return raw.getTime() / 1000;
  if (raw instanceof Uint8Array) return Buffer.from(raw).toString('base64');
  return value;
}
