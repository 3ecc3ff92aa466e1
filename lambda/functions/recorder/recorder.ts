import {
  CustomResourceType,
  promotedRecordPropertiesSchema,
  type RolloutTarget,
  releaseRecordPropertiesSchema,
} from '../../../lib/contract';
import { type CustomResourceEvent, type CustomResourceOutcome, propertiesOf } from '../../shared/aws/custom-resource';
import type { Rollouts } from '../../shared/routing/rollouts';
import type { ReleaseArchive } from './release-archive';
import { parseBehaviorDocument } from './release-content';

export interface RecorderDeps {
  readonly agent: string;
  readonly archive: Pick<ReleaseArchive, 'record'>;
  readonly rollouts: Pick<Rollouts, 'deploy' | 'promote'>;
  readonly readAsset: (bucket: string, key: string) => Promise<string>;
}

/**
 * The two records of a deployment. A deletion removes nothing: releases, audit and what is promoted are kept as long as
 * the table is.
 *
 * @throws Error with the reason for CloudFormation
 */
export async function handleRecord(event: CustomResourceEvent, props: RecorderDeps): Promise<CustomResourceOutcome> {
  const physicalId = recordId(event, props.agent);
  if (event.RequestType === 'Delete') {
    return { physicalId };
  }
  switch (event.ResourceType) {
    case CustomResourceType.RELEASE_RECORD:
      return { physicalId, data: await recordRelease(event, props) };
    case CustomResourceType.PROMOTED_RECORD:
      return { physicalId, data: await recordPromotion(event, props) };
    default:
      throw new Error(
        `the recorder does not know ${event.ResourceType}; expected ${CustomResourceType.RELEASE_RECORD} or ` +
          CustomResourceType.PROMOTED_RECORD,
      );
  }
}

/** Physical id: the same for the life of the resource. */
export function recordId({ PhysicalResourceId, ResourceType }: CustomResourceEvent, agent: string): string {
  const kind = ResourceType === CustomResourceType.PROMOTED_RECORD ? 'promoted-record' : 'release-record';
  return PhysicalResourceId ?? `${agent}-${kind}`;
}

async function recordRelease(event: CustomResourceEvent, props: RecorderDeps): Promise<Record<string, string>> {
  const properties = propertiesOf(event, releaseRecordPropertiesSchema);
  const { BehaviorBucket, BehaviorKey, GitAuthor, Release } = properties;
  const text = await props.readAsset(BehaviorBucket, BehaviorKey);
  const document = parseBehaviorDocument(text, Release, `s3://${BehaviorBucket}/${BehaviorKey}`);
  const actor = actorOf(event, GitAuthor);
  await props.archive.record(document, properties, actor);
  const revokes = revokedBy(event);
  const rollout = await props.rollouts.deploy(targetOf(properties), {
    requestId: event.RequestId,
    actor,
    revokes,
  });
  return { Release, Rollout: rollout?.status ?? 'none' };
}

async function recordPromotion(event: CustomResourceEvent, props: RecorderDeps): Promise<Record<string, string>> {
  const properties = propertiesOf(event, promotedRecordPropertiesSchema);
  await props.rollouts.promote(targetOf(properties), { requestId: event.RequestId, actor: actorOf(event) });
  return { Release: properties.Release };
}

/**
 * The previous target of the record, if its running tasks are requeued in case this event is a rollback: then the old
 * properties are those of the deployment that failed.
 */
function revokedBy({ OldResourceProperties }: CustomResourceEvent): RolloutTarget | undefined {
  const before = releaseRecordPropertiesSchema.safeParse(OldResourceProperties);
  return before.success && before.data.OnRollback === 'requeue' ? targetOf(before.data) : undefined;
}

function targetOf(properties: {
  readonly Release: string;
  readonly WorkerVersion: string;
  readonly RouterVersion: string;
}): RolloutTarget {
  const { Release, RouterVersion, WorkerVersion } = properties;
  return { release: Release, workerVersion: WorkerVersion, routerVersion: RouterVersion };
}

/** Who: the author of the revision if known, and the stack operation that carried it. */
function actorOf({ RequestType, StackId }: CustomResourceEvent, author?: string): string {
  const operation = `CloudFormation ${RequestType.toLowerCase()} of ${StackId}`;
  return author === undefined ? operation : `${author}, by ${operation}`;
}
