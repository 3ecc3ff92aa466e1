/** An HTTP API with everything that belongs to it, as the resource handlers left it. */
export interface Api {
  readonly id: string;
  readonly stages: Map<string, Stage>;
  readonly routes: Map<string, Route>;
  readonly integrations: Map<string, Integration>;
  readonly authorizers: Map<string, JwtAuthorizer>;
}

export interface Stage {
  readonly name: string;
  readonly variables: Readonly<Record<string, string>> | undefined;
  readonly accessLog: { readonly group: string; readonly format: string } | undefined;
  /** Requests a second of cloud time, and how many at once. */
  readonly throttle: { readonly rate: number; readonly burst: number };
}

export interface Route {
  /** `GET /tasks/{id}` or `$default` */
  readonly key: string;
  readonly integrationId: string;
  readonly authorization: 'NONE' | 'AWS_IAM' | 'JWT';
  readonly authorizerId: string | undefined;
  readonly scopes: readonly string[];
}

export interface Integration {
  /** Function, version or alias. */
  readonly functionArn: string;
  readonly timeoutMs: number;
}

export interface JwtAuthorizer {
  readonly issuer: string;
  readonly audience: readonly string[];
  /** `$request.header.Name` or `$request.querystring.name` */
  readonly identitySources: readonly string[];
}

/** Name of the stage that needs no prefix in the path. */
export const DEFAULT_STAGE = '$default';
