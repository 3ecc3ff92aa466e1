import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { type FaultsPort, NO_FAULTS, ResponseLost } from '../core/faults';
import { disconnectSignal } from '../core/http';
import type { IamPort } from '../core/ports';
import type { Principal } from '../core/principal';
import { type Call, type RehearsalService, ServiceError, type WireProtocol } from '../core/service';
import { credentialScope } from './credential-scope';
import { decodeQuery } from './query';
import { accessDenied, errorResponse, successResponse, type WireResponse } from './responses';

const unzip = promisify(gunzip);

/** Largest request body. The largest that a rehearsed service takes is DynamoDB's batch of 16 MB. Bytes. */
const MAX_BODY = 16 * 1024 * 1024;

/** Answers plain HTTP below a prefix: an API's stage, CloudFormation's response URLs. */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

export interface ApiServerDeps {
  readonly iam: IamPort;
  /**
   * Port on 127.0.0.1.
   * @default a free one
   */
  readonly port?: number;
  /**
   * Called for unexpected errors: faults of the rehearsal. The caller gets a 500.
   * @default - printed to stderr
   */
  readonly onFault?: (error: unknown, where: string) => void;
  /** Injected faults. @default - none */
  readonly faults?: FaultsPort;
}

/** Called for every successful call, with its output. */
export type CallObserver = (service: string, call: Call, output: unknown) => void;

/** Why a caller cannot reach a service; undefined if it can. */
export type ReachabilityCheck = (principal: Principal, service: string) => string | undefined;

/** For a caller that has disconnected. */
const NO_RESPONSE: WireResponse = { status: 499, headers: {}, body: '' };

interface Decoded {
  readonly operation: string;
  readonly input: Readonly<Record<string, unknown>>;
}

/**
 * The endpoint of the rehearsed cloud: an HTTP server on 127.0.0.1 that speaks the AWS protocols. The signing name in the
 * `Authorization` header selects the service, the access key identifies the caller; signatures are not verified. A call is
 * authorized and then passed to its service. Unknown services and operations are refused by name.
 */
export class ApiServer {
  /** Starts to listen. */
  static async start(props: ApiServerDeps): Promise<ApiServer> {
    const server = new ApiServer(props);
    await new Promise<void>((resolve, reject) => {
      server.#server.once('error', reject);
      server.#server.listen(props.port ?? 0, '127.0.0.1', () => {
        server.#server.off('error', reject);
        resolve();
      });
    });
    return server;
  }

  readonly #props: ApiServerDeps;
  readonly #server: Server;
  readonly #services = new Map<string, RehearsalService>();
  readonly #operations = new Map<string, ReadonlySet<string>>();
  readonly #mounts = new Map<string, HttpHandler>();
  readonly #callCounts = new Map<string, number>();
  readonly #refusalCounts = new Map<string, number>();
  readonly #observers: CallObserver[] = [];
  readonly #reachabilityChecks: ReachabilityCheck[] = [];

  private constructor(props: ApiServerDeps) {
    this.#props = props;
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => this.#fault(error, request, response));
    });
    // Clients keep their connections: one closed just as a client writes to it would look like a lost call.
    this.#server.keepAliveTimeout = 0;
  }

  /** `http://127.0.0.1:PORT`: what goes into `AWS_ENDPOINT_URL`. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  add(...services: readonly RehearsalService[]): void {
    for (const service of services) {
      if (this.#services.has(service.signingName)) {
        throw new Error(`service ${service.signingName} is already served`);
      }
      this.#services.set(service.signingName, service);
      this.#operations.set(service.signingName, new Set(service.operations));
    }
  }

  /**
   * Serves everything at and below a path prefix without AWS protocol and authorization.
   * @param prefix starts with `/_`, so that it cannot be a bucket or an API of a service.
   * @returns unmounts the handler.
   */
  mount(prefix: string, handler: HttpHandler): () => void {
    if (!prefix.startsWith('/_')) throw new Error(`mounted prefix: must start with /_, got "${prefix}"`);
    if (this.#mounts.has(prefix)) throw new Error(`prefix ${prefix} is already mounted`);
    this.#mounts.set(prefix, handler);
    return () => this.#mounts.delete(prefix);
  }

  /** Calls the observer for every successful call from now on, before the response is sent. */
  observe(observer: CallObserver): void {
    this.#observers.push(observer);
  }

  /** Checks every call: a caller that cannot reach the service is disconnected, and the call counts as refused. */
  addReachabilityCheck(barrier: ReachabilityCheck): void {
    this.#reachabilityChecks.push(barrier);
  }

  /** Number of calls so far by `service.Operation`, successful or not. */
  counts(): Record<string, number> {
    return Object.fromEntries([...this.#callCounts].sort(([a], [b]) => a.localeCompare(b)));
  }

  /** Number of calls to unknown services and operations, by name. */
  refusals(): Record<string, number> {
    return Object.fromEntries(this.#refusalCounts);
  }

  /** Stops to listen and drops every connection, long polls included. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = request.url ?? '/';
    const path = target.split('?', 1)[0] ?? '/';
    if (path.startsWith('/_')) {
      const handler = this.#handlerFor(path);
      if (handler === undefined) {
        response.writeHead(404, { 'content-type': 'application/json' }).end('{"message":"Not Found"}');
        return;
      }
      await handler(request, response);
      return;
    }
    const requestId = randomUUID();
    const body = await readBody(request);
    if (body === undefined) {
      response.writeHead(413, { connection: 'close' }).end();
      return;
    }
    send(request, response, await this.#respond(request, response, target, path, body, requestId));
  }

  async #respond(
    request: IncomingMessage,
    response: ServerResponse,
    target: string,
    path: string,
    body: Buffer,
    requestId: string,
  ): Promise<WireResponse> {
    const scope = credentialScope(request.headers);
    const service = scope === undefined ? undefined : this.#services.get(scope.signingName);
    if (scope === undefined || service === undefined) {
      const speaker = { protocol: guessProtocol(request) };
      return errorResponse(speaker, this.#refuseService(request, scope?.signingName), requestId);
    }
    try {
      const principal = this.#props.iam.principalOf(scope.accessKeyId);
      if (principal === undefined) throw unknownAccessKey(service);
      this.#checkReachability(principal, service.signingName);
      const decoded = decode(service, request, target, path, body);
      const known = decoded !== undefined && this.#operations.get(service.signingName)?.has(decoded.operation) === true;
      if (!known) {
        const name = decoded?.operation ?? `${request.method ?? ''} ${path}`;
        throw this.#refuse(`${service.signingName}.${name}`);
      }
      const counter = `${service.signingName}.${decoded.operation}`;
      this.#callCounts.set(counter, (this.#callCounts.get(counter) ?? 0) + 1);
      const call: Call = {
        ...decoded,
        principal,
        signal: disconnectSignal(response),
        headers: request.headers as Readonly<Record<string, string | undefined>>,
      };
      this.#authorize(service, call, principal);
      const faults = this.#props.faults ?? NO_FAULTS;
      const output = await faults.aroundCall(service.signingName, call, () => service.handle(call));
      for (const observer of this.#observers) {
        observer(service.signingName, call, output);
      }
      return successResponse(service, decoded.operation, output, requestId);
    } catch (error) {
      if (error instanceof ResponseLost) {
        request.socket.destroy();
        return NO_RESPONSE;
      }
      if (error instanceof ServiceError) return errorResponse(service, error, requestId);
      if (response.destroyed) return NO_RESPONSE;
      this.#report(error, `${service.signingName} ${request.headers['x-amz-target'] ?? path}`);
      return errorResponse(
        service,
        new ServiceError('InternalFailure', `fault of the rehearsal: ${error}`, 500),
        requestId,
      );
    }
  }

  /** @throws AnswerLost: on AWS a call without a network route gets no response */
  #checkReachability(principal: Principal, service: string): void {
    for (const barrier of this.#reachabilityChecks) {
      const reason = barrier(principal, service);
      if (reason !== undefined) {
        this.#refuse(`${service} by ${principal.label}: ${reason}`);
        throw new ResponseLost(reason);
      }
    }
  }

  #authorize(service: RehearsalService, call: Call, principal: Principal): void {
    for (const permission of service.authorize(call)) {
      const decision = this.#props.iam.decide(principal, permission);
      if (!decision.allowed) throw accessDenied(service, decision.reason);
    }
  }

  #handlerFor(path: string): HttpHandler | undefined {
    for (let prefix = path; prefix.length > 1; prefix = prefix.slice(0, prefix.lastIndexOf('/'))) {
      const handler = this.#mounts.get(prefix);
      if (handler !== undefined) return handler;
    }
    return undefined;
  }

  #refuseService(request: IncomingMessage, signingName: string | undefined): ServiceError {
    if (signingName === undefined) {
      return new ServiceError('MissingAuthenticationToken', 'Request is missing Authentication Token', 403);
    }
    const operation = String(request.headers['x-amz-target'] ?? '')
      .split('.')
      .at(-1);
    return this.#refuse(operation ? `${signingName}.${operation}` : signingName);
  }

  #refuse(what: string): ServiceError {
    this.#refusalCounts.set(what, (this.#refusalCounts.get(what) ?? 0) + 1);
    return new ServiceError('NotRehearsable', `not rehearsable: ${what}`, 501);
  }

  #fault(error: unknown, request: IncomingMessage, response: ServerResponse): void {
    if (response.destroyed) return;
    this.#report(error, `${request.method} ${request.url}`);
    if (!response.headersSent) response.writeHead(500, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ message: 'Internal Server Error' }));
  }

  #report(error: unknown, where: string): void {
    if (this.#props.onFault !== undefined) this.#props.onFault(error, where);
    else console.error(`rehearsal: fault while serving ${where}:`, error);
  }
}

/** The request as operation and input; undefined if it names no operation. */
function decode(
  service: RehearsalService,
  request: IncomingMessage,
  target: string,
  path: string,
  body: Buffer,
): Decoded | undefined {
  switch (service.protocol) {
    case 'awsJson1.0':
    case 'awsJson1.1': {
      const operation = String(request.headers['x-amz-target'] ?? '')
        .split('.')
        .at(-1);
      return operation ? { operation, input: parseJson(body) } : undefined;
    }
    case 'awsQuery':
      return decodeQuery(body.toString('utf8'));
    case 'restJson1':
    case 'restXml':
      return service.route?.({
        method: request.method ?? 'GET',
        path: path.split('/').map(decodeURIComponent).join('/'),
        query: Object.fromEntries(new URLSearchParams(target.slice(path.length + 1))),
        headers: request.headers as Readonly<Record<string, string | undefined>>,
        body,
      });
  }
}

function parseJson(body: Buffer): Record<string, unknown> {
  if (body.length === 0) return {};
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Refused below, like any other body that is not an object.
  }
  throw new ServiceError('SerializationException', 'the request body is not a JSON object');
}

async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY) return undefined;
    chunks.push(chunk);
  }
  const body = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
  // The CloudWatch client compresses larger bodies; what goes to S3 is kept as it comes.
  const compressed = request.headers['content-encoding'] === 'gzip';
  return compressed && credentialScope(request.headers)?.signingName !== 's3' ? unzip(body) : body;
}

function send(request: IncomingMessage, response: ServerResponse, answer: WireResponse): void {
  if (response.destroyed || request.socket.destroyed) return;
  const headers = { 'content-length': String(Buffer.byteLength(answer.body)), ...answer.headers };
  response.writeHead(answer.status, headers);
  response.end(request.method === 'HEAD' ? undefined : answer.body);
}

function guessProtocol(request: IncomingMessage): WireProtocol {
  if (request.headers['x-amz-target'] !== undefined) return 'awsJson1.0';
  const type = request.headers['content-type'] ?? '';
  return type.includes('x-www-form-urlencoded') ? 'awsQuery' : 'restJson1';
}

function unknownAccessKey(service: RehearsalService): ServiceError {
  const message = 'The security token included in the request is invalid.';
  if (service.protocol === 'restXml') {
    return new ServiceError(
      'InvalidAccessKeyId',
      'The AWS Access Key Id you provided does not exist in our records.',
      403,
    );
  }
  return service.protocol === 'awsQuery'
    ? new ServiceError('InvalidClientTokenId', message, 403)
    : new ServiceError('UnrecognizedClientException', message, service.protocol === 'restJson1' ? 403 : 400);
}
