import type { Principal } from './principal';
import type { ResourceHandler } from './resource';

/** A request as a service sees it: decoded from the wire, authenticated, not yet authorized. */
export interface Call {
  /** Operation name as the SDK knows it, for instance `SendMessage`. */
  readonly operation: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly principal: Principal;
  /** Aborts when the caller disconnects: long polls must listen to it. */
  readonly signal: AbortSignal;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** One permission that a call needs. All of a call's permissions must be allowed. */
export interface RequiredPermission {
  /** `sqs:SendMessage` */
  readonly action: string;
  readonly resource: string;
  /** Condition keys as IAM names them (`dynamodb:LeadingKeys`), with the values of this call. */
  readonly conditions?: Readonly<Record<string, readonly string[]>>;
}

/** Wire protocol of a service. */
export type WireProtocol = 'awsJson1.0' | 'awsJson1.1' | 'restJson1' | 'restXml' | 'awsQuery';

/**
 * One AWS service as far as the library needs it. The API server refuses an unknown operation with the names of the
 * service and the operation; it never answers it with an empty success.
 */
export interface RehearsalService {
  /** Signing name in the credential scope: `sqs`, `dynamodb`, `monitoring`, … */
  readonly signingName: string;
  readonly protocol: WireProtocol;
  /** Operation names for `awsJson` and `awsQuery`; for REST protocols the service maps method and path itself. */
  readonly operations: readonly string[];
  /**
   * Code of the error for a call that policies do not allow.
   * @default `AccessDenied` for XML protocols, `AccessDeniedException` for JSON
   */
  readonly accessDeniedCode?: string;
  /**
   * Set (if only to `{}`) by JSON services that spoke the query protocol before: code of the error → its old code, sent
   * in the header `x-amzn-query-error`, by which clients then name the error. A code that is not listed is its own old
   * code. https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#aws-protocols-awsquerycompatible-trait
   */
  readonly queryErrorCodes?: Readonly<Record<string, string>>;
  /**
   * XML namespace of the answers, `awsQuery` only.
   * @default none
   */
  readonly xmlNamespace?: string;
  /** REST protocols only: which operation, and its input, a request means. Undefined for an unknown one, which the API server refuses. */
  route?(request: RestRequest): { readonly operation: string; readonly input: Record<string, unknown> } | undefined;
  /** Permissions that the call needs, checked before {@link handle}. */
  authorize(call: Call): readonly RequiredPermission[];
  /** Answers the call. Throw {@link ServiceError} for an error of the service. */
  handle(call: Call): Promise<unknown>;
}

export interface RestRequest {
  readonly method: string;
  /** Path without query, percent-decoded per segment. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Buffer;
}

/** What `handle` of a REST service may return to control the response. */
export class RestResponse {
  constructor(
    readonly status: number,
    readonly headers: Readonly<Record<string, string>>,
    readonly body: Buffer | string,
  ) {}
}

/** An error with the code that the SDK turns into the name of the exception. */
export class ServiceError extends Error {
  constructor(
    /** `ResourceNotFoundException`, `ConditionalCheckFailedException`, … */
    readonly code: string,
    message: string,
    readonly status = 400,
    /** Further members of the error's body. */
    readonly members: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
    this.name = code;
  }
}

/** What `createX` of every service folder returns at least. */
export interface ServiceModule {
  /** Its API operations. @default - the service has none on the wire */
  readonly service?: RehearsalService;
  /** Its CloudFormation resource types. @default - templates make nothing of this service */
  readonly handlers?: readonly ResourceHandler[];
  /** Ends timers, processes and sockets. @default - there are none */
  stop?(): Promise<void> | void;
}
