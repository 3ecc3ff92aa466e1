import { Token } from 'aws-cdk-lib';
import type { IHttpRouteAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer, HttpJwtAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import type { Construct } from 'constructs';
import { laneError } from '../common/errors';

/** How the HTTP API authenticates callers. */
export interface IntakeAuthConfig {
  /** Value of `Env.AUTH` for the router and the status function: `iam` or `jwt`. */
  readonly mode: string;
  /** Authorizer of the routes. */
  readonly authorizer: IHttpRouteAuthorizer;
}

/** Who may call the HTTP API. */
export abstract class IntakeAuth {
  /**
   * Requests signed by IAM principals: backends act for their users and name them in the request. Grant it with
   * `agent.grants.submit` and `agent.grants.read`.
   */
  static iam(): IntakeAuth {
    return new IamAuth();
  }

  /**
   * Bearer tokens of an OpenID Connect issuer: the token's `sub` is the user, who can access only their own tasks.
   *
   * @param issuer URL of the issuer, `https://…`
   * @param audience accepted values of `aud` (or `client_id`), at least one
   */
  static jwt(issuer: string, audience: string[]): IntakeAuth {
    return new JwtAuth(issuer, audience);
  }

  /** @throws LaneError for an invalid issuer or audience @internal */
  abstract _bind(scope: Construct): IntakeAuthConfig;
}

class IamAuth extends IntakeAuth {
  /** @internal */
  _bind(): IntakeAuthConfig {
    return { mode: 'iam', authorizer: new HttpIamAuthorizer() };
  }
}

class JwtAuth extends IntakeAuth {
  constructor(
    private readonly issuer: string,
    private readonly audience: string[],
  ) {
    super();
  }

  /** @internal */
  _bind(scope: Construct): IntakeAuthConfig {
    if (!Token.isUnresolved(this.issuer) && !/^https:\/\/[^\s?#]+$/.test(this.issuer)) {
      throw laneError(
        scope,
        'InvalidJwtIssuer',
        `issuer must be an https URL without query, like 'https://id.example.com/', got '${this.issuer}'; ` +
          'API Gateway reads the keys from its /.well-known/openid-configuration',
      );
    }
    if (this.audience.length === 0) {
      throw laneError(
        scope,
        'MissingJwtAudience',
        'audience must have at least one value, got none; without an audience, every token of the issuer would be accepted',
      );
    }
    return { mode: 'jwt', authorizer: new HttpJwtAuthorizer('Jwt', this.issuer, { jwtAudience: [...this.audience] }) };
  }
}
