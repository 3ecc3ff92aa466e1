import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  paginateListSecretVersionIds,
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { errorName } from '../../shared/aws/aws-errors';

export const CURRENT = 'AWSCURRENT';
export const PENDING = 'AWSPENDING';
export const PREVIOUS = 'AWSPREVIOUS';

/** Description of a secret, without values. */
export interface SecretDescription {
  readonly arn: string;
  /** Version id → its staging labels. */
  readonly labels: ReadonlyMap<string, readonly string[]>;
  /** Milliseconds since 1970. */
  readonly lastRotatedAt: number | undefined;
}

/** Reads and changes the versions of secrets and their staging labels. */
export class SecretVersions {
  readonly #client: SecretsManagerClient;

  constructor(client: SecretsManagerClient) {
    this.#client = client;
  }

  async describe(secret: string): Promise<SecretDescription> {
    const { ARN, LastRotatedDate, VersionIdsToStages } = await this.#client.send(
      new DescribeSecretCommand({ SecretId: secret }),
    );
    return {
      arn: ARN ?? secret,
      labels: new Map(Object.entries(VersionIdsToStages ?? {})),
      lastRotatedAt: LastRotatedDate?.getTime(),
    };
  }

  /** When the current version became current, as far as Secrets Manager knows. Milliseconds since 1970. */
  async currentSince(secret: string, { lastRotatedAt }: SecretDescription): Promise<number | undefined> {
    let createdAt: number | undefined;
    for await (const { Versions = [] } of paginateListSecretVersionIds(
      { client: this.#client },
      { SecretId: secret },
    )) {
      createdAt ??= Versions.find(({ VersionStages }) => VersionStages?.includes(CURRENT))?.CreatedDate?.getTime();
    }
    if (createdAt === undefined) {
      return undefined;
    }
    // A value set by hand is newer than the last rotation; a rotated one was created before its rotation ended.
    return Math.max(createdAt, lastRotatedAt ?? 0);
  }

  /** Text of the version with the label. Undefined if it has none: Secrets Manager also labels empty versions. */
  async text(secret: string, label: string, version?: string): Promise<string | undefined> {
    try {
      const { SecretString } = await this.#client.send(
        new GetSecretValueCommand({
          SecretId: secret,
          VersionStage: label,
          VersionId: version,
        }),
      );
      return SecretString;
    } catch (error) {
      if (errorName(error) === 'ResourceNotFoundException') {
        return undefined;
      }
      throw error;
    }
  }

  /** Sets the value and the labels of an empty version in one call. */
  async stage(secret: string, version: string, text: string, labels: readonly string[]): Promise<void> {
    await this.#client.send(
      new PutSecretValueCommand({
        SecretId: secret,
        ClientRequestToken: version,
        SecretString: text,
        VersionStages: [PENDING, ...labels],
      }),
    );
  }

  /** Makes the version current; the former current version becomes the previous one. */
  async promote(secret: string, version: string, from: string | undefined): Promise<void> {
    await this.#client.send(
      new UpdateSecretVersionStageCommand({
        SecretId: secret,
        VersionStage: CURRENT,
        MoveToVersionId: version,
        RemoveFromVersionId: from,
      }),
    );
  }

  async unlabel(secret: string, version: string, label: string): Promise<void> {
    await this.#client.send(
      new UpdateSecretVersionStageCommand({ SecretId: secret, VersionStage: label, RemoveFromVersionId: version }),
    );
  }
}

/** Id of the version that has the label. */
export function versionWith({ labels }: SecretDescription, label: string): string | undefined {
  return [...labels].find(([, stages]) => stages.includes(label))?.[0];
}
