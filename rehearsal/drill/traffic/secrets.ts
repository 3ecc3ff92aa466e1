import {
  CreateSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import type { OperatorAccess } from '../observe/operator-access';
import type { Scenario } from '../scenario/scenario';

type SecretValues = NonNullable<Scenario['secrets']>;

/** A deployed secret of the stack. */
export interface DeployedSecret {
  readonly path: string;
  readonly physicalId: string;
}

/** Creates the secrets that the template only references: those with a full name in the scenario. */
export async function createSecrets(access: OperatorAccess, values: SecretValues): Promise<void> {
  await withClient(access, async (client) => {
    for (const { name, value } of values.filter((secret) => !secret.name.includes('*'))) {
      await client.send(new CreateSecretCommand({ Name: name, SecretString: value }));
    }
  });
}

/**
 * Sets the values of the secrets that the template created, matched by name (ARN) or construct path.
 *
 * @returns patterns without a match
 */
export async function fillSecrets(
  access: OperatorAccess,
  values: SecretValues,
  secrets: readonly DeployedSecret[],
): Promise<readonly string[]> {
  const unmatched: string[] = [];
  await withClient(access, async (client) => {
    for (const { name, value } of values.filter((secret) => secret.name.includes('*'))) {
      const matching = secrets.filter(
        (secret) => matchesPattern(name, secret.path) || matchesPattern(name, secret.physicalId),
      );
      for (const secret of matching) {
        await client.send(new PutSecretValueCommand({ SecretId: secret.physicalId, SecretString: value }));
      }
      if (matching.length === 0) {
        unmatched.push(name);
      }
    }
  });
  return unmatched;
}

/** The key that signs webhooks, if the stack's outputs name one. */
export async function webhookSecret(
  access: OperatorAccess,
  outputs: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  const [, SecretId] = Object.entries(outputs).find(([key]) => /WebhookSecret([0-9A-F]{8})?$/.test(key)) ?? [];
  return SecretId === undefined
    ? undefined
    : await withClient(access, async (client) => {
        return (await client.send(new GetSecretValueCommand({ SecretId }))).SecretString;
      });
}

/** `*` matches any text. */
export function matchesPattern(pattern: string, text: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 'i').test(text);
}

async function withClient<T>(access: OperatorAccess, use: (client: SecretsManagerClient) => Promise<T>): Promise<T> {
  const client = new SecretsManagerClient(access);
  try {
    return await use(client);
  } finally {
    client.destroy();
  }
}
