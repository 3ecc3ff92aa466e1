import { fromHttp } from '@aws-sdk/credential-provider-http';
import { memoize } from '@smithy/core/config';
import { systemClock } from '../clock';
import { lambdaCredentials } from './lambda-credentials';

type Provider = ReturnType<typeof fromHttp>;

/** Credentials are renewed this time before they expire, as the SDK's own chain does. */
const RENEWED_BEFORE_MS = 5 * 60_000;

/**
 * Takes the place of the SDK's chain of credential providers in the bundle of the worker's container (see
 * scripts/build-bundles.ts): ECS hands a task its role's credentials over HTTP and renews them while the task runs, so the
 * clients ask again before they expire, and not before: a client takes what it is given here for kept, and would ask at each
 * of its calls. Without such an endpoint, as when a container is tried by hand, the environment counts.
 *
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
 */
export function containerCredentials(): Provider {
  const { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, AWS_CONTAINER_CREDENTIALS_FULL_URI } = process.env;
  return AWS_CONTAINER_CREDENTIALS_RELATIVE_URI || AWS_CONTAINER_CREDENTIALS_FULL_URI
    ? kept(fromHttp())
    : lambdaCredentials();
}

/** Credentials expire by the wall clock, in rehearsals too: it is the SDK that looks. */
function kept(provider: Provider): Provider {
  const clock = systemClock({});
  return memoize(
    provider,
    ({ expiration }) => expiration !== undefined && expiration.getTime() - clock.now() < RENEWED_BEFORE_MS,
    ({ expiration }) => expiration !== undefined,
  );
}

// The name under which the SDK's clients import the chain that this module replaces.
export { containerCredentials as defaultProvider };
