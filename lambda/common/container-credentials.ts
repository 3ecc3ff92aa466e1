import { fromHttp } from '@aws-sdk/credential-provider-http';
import { defaultProvider as fromEnvironment } from './lambda-credentials';

type Provider = ReturnType<typeof fromHttp>;

/**
 * Takes the place of the SDK's chain of credential providers in the bundle of the worker's container (see
 * scripts/build-bundles.ts): ECS hands a task its role's credentials over HTTP and renews them while the task runs, so the
 * clients ask again before they expire. Without such an endpoint, as when a container is tried by hand, the environment
 * counts.
 *
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
 */
export function defaultProvider(): Provider {
  const { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, AWS_CONTAINER_CREDENTIALS_FULL_URI } = process.env;
  return AWS_CONTAINER_CREDENTIALS_RELATIVE_URI || AWS_CONTAINER_CREDENTIALS_FULL_URI ? fromHttp() : fromEnvironment();
}
