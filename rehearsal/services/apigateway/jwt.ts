import { z } from 'zod';
import type { JwtAuthorizer } from './model';

export interface JwtClaims {
  /** As the function gets them: every value a string. */
  readonly claims: Readonly<Record<string, string>>;
  readonly scopes: readonly string[] | null;
}

/** Why a token was not accepted. `unauthorized`: 401, `forbidden`: 403. */
export interface JwtRefusal {
  readonly refused: 'unauthorized' | 'forbidden';
  readonly reason: string;
}

const claimsSchema = z.looseObject({
  iss: z.string(),
  aud: z.union([z.string(), z.array(z.string())]).optional(),
  client_id: z.string().optional(),
  exp: z.number(),
  nbf: z.number().optional(),
  iat: z.number().optional(),
  scope: z.string().optional(),
  scp: z.union([z.string(), z.array(z.string())]).optional(),
});

/**
 * Checks issuer, audience, times and scopes of a bearer token as an HTTP API does, by the cloud's clock. The signature is
 * not verified, as the rehearsal cannot reach the issuer's keys: a forged token passes here (`alg` may be `none`), and
 * does not pass on AWS.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
 * @param now cloud milliseconds since 1970
 */
export function checkJwt(
  token: string | undefined,
  authorizer: JwtAuthorizer,
  neededScopes: readonly string[],
  now: number,
): JwtClaims | JwtRefusal {
  if (token === undefined) {
    return unauthorized('no token');
  }
  const claims = decodeClaims(token);
  if (claims === undefined) {
    return unauthorized('not a JSON web token with iss and exp');
  }
  const seconds = now / 1000;
  if (claims.iss !== authorizer.issuer) {
    return unauthorized(`issuer is ${claims.iss}, expected ${authorizer.issuer}`);
  }
  // client_id is checked only without aud.
  const audience = claims.aud ?? claims.client_id ?? [];
  if (![audience].flat().some((one) => authorizer.audience.includes(one))) {
    return unauthorized(
      `audience is ${[audience].flat().join(', ')}, expected one of ${authorizer.audience.join(', ')}`,
    );
  }
  if (claims.exp <= seconds) {
    return unauthorized('the token has expired');
  }
  if (claims.nbf !== undefined && claims.nbf > seconds) {
    return unauthorized('the token is not yet valid');
  }
  if (claims.iat !== undefined && claims.iat > seconds) {
    return unauthorized('the token was issued in the future');
  }
  const scopes = scopesOf(claims);
  if (neededScopes.length > 0 && !neededScopes.some((scope) => scopes.includes(scope))) {
    return {
      refused: 'forbidden',
      reason: `scopes are ${scopes.join(' ')}, expected one of ${neededScopes.join(' ')}`,
    };
  }
  const texts = Object.entries(claims).map(([name, value]) => [name, claimText(value)]);
  return { claims: Object.fromEntries(texts), scopes: neededScopes.length > 0 ? scopes : null };
}

function decodeClaims(token: string): z.infer<typeof claimsSchema> | undefined {
  const [, payload] = token.split('.');
  try {
    const parsed = claimsSchema.safeParse(JSON.parse(Buffer.from(payload ?? '', 'base64url').toString()));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

function scopesOf(claims: z.infer<typeof claimsSchema>): readonly string[] {
  const value = claims.scope ?? claims.scp ?? [];
  return typeof value === 'string' ? value.split(' ') : value;
}

function claimText(value: unknown): string {
  return Array.isArray(value) ? `[${value.join(' ')}]` : String(value);
}

function unauthorized(reason: string): JwtRefusal {
  return { refused: 'unauthorized', reason };
}
