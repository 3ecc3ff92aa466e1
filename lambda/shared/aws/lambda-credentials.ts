/** Credentials as the SDK's clients use them. */
interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/**
 * Takes the place of the SDK's chain of credential providers in the bundles (see scripts/build-bundles.ts): Lambda hands
 * a function its role's credentials in the environment and in no other way, so the providers for profiles, single
 * sign-on, instance metadata and the rest would be loaded at each cold start and never used.
 *
 * @throws Error (by the provider) outside Lambda, when the environment has no credentials
 */
export function lambdaCredentials(): () => Promise<Credentials> {
  return async () => {
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = process.env;
    if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) {
      throw new Error(
        'environment variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set; Lambda sets them',
      );
    }
    return {
      accessKeyId: AWS_ACCESS_KEY_ID,
      secretAccessKey: AWS_SECRET_ACCESS_KEY,
      sessionToken: AWS_SESSION_TOKEN,
    };
  };
}

// The name under which the SDK's clients import the chain that this module replaces.
export { lambdaCredentials as defaultProvider };
