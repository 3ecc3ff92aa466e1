import type { ITableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { acknowledgeWildcard } from '../common';
import {
  BACKLOG_PARTITION,
  BUDGET_PARTITION_PREFIX,
  ControlKey,
  LIMIT_PARTITION_PREFIX,
  PAYLOAD_PREFIX,
  RELEASE_PARTITION_PREFIX,
  ROUTING_PARTITION,
  TRANSCRIPT_PREFIX,
} from '../contract';
import {
  AUDIT_ACTIONS,
  BACKLOG_ACTIONS,
  INTAKE_CONTROL_ACTIONS,
  INTAKE_TASK_ACTIONS,
  KEY_READ_ACTIONS,
  KEY_WRITE_ACTIONS,
  LIMIT_ACTIONS,
  LIST_PAYLOAD_ACTIONS,
  PAYLOAD_READ_KEY_ACTIONS,
  PAYLOAD_WRITE_KEY_ACTIONS,
  PREFLIGHT_TASK_ACTIONS,
  READ_BUDGET_ACTIONS,
  READ_PAYLOAD_ACTIONS,
  READ_ROUTING_ACTIONS,
  READ_TASK_ACTIONS,
  RECORDER_CONTROL_ACTIONS,
  REDRIVE_ROUTING_ACTIONS,
  REDRIVE_TASK_ACTIONS,
  SPEND_ACTIONS,
  STATUS_TASK_ACTIONS,
  WEBHOOK_TASK_ACTIONS,
  WORKER_SESSION_ACTIONS,
  WORKER_TASK_ACTIONS,
  WRITE_PAYLOAD_ACTIONS,
} from './perms';

/** Partition of the audit trail in the control table. */
const AUDIT_PARTITION = ControlKey.audit('', '').pk;

/** The tables and the bucket that the grants are about: every `IAgentStore` has them. */
interface StoreResources {
  readonly tasks: ITableV2;
  readonly sessions: ITableV2;
  readonly control: ITableV2;
  readonly payloads: IBucket;
}

/** Permissions on the data of an agent, for principals outside the library. */
export class AgentStoreGrants {
  constructor(
    private readonly tasks: ITableV2,
    private readonly payloads: IBucket,
  ) {}

  /**
   * Read tasks in the table, one at a time, by id. Results over 16 KB are in the bucket and need `readPayloads`, too.
   */
  read(grantee: IGrantable): Grant {
    return grantOn(this.tasks, grantee, READ_TASK_ACTIONS, KEY_READ_ACTIONS);
  }

  /** Read inputs, results and steps in the bucket: those of a task are below `tasks/<task id>/`. */
  readPayloads(grantee: IGrantable): Grant {
    return grantOnObjects(this.payloads, PAYLOAD_PREFIX, grantee, READ_PAYLOAD_ACTIONS);
  }

  /** Read recorded model calls: those of a task are below `transcripts/<task id>/`. They hold what users said. */
  readTranscripts(grantee: IGrantable): Grant {
    return grantReadTranscripts(this.payloads, grantee);
  }
}

/** Reads recorded model calls. */
export function grantReadTranscripts(payloads: IBucket, grantee: IGrantable): Grant {
  return grantOnObjects(payloads, TRANSCRIPT_PREFIX, grantee, READ_PAYLOAD_ACTIONS).combine(
    Grant.addToPrincipal({
      grantee,
      actions: LIST_PAYLOAD_ACTIONS,
      resourceArns: [payloads.bucketArn],
      conditions: { StringLike: { 's3:prefix': `${TRANSCRIPT_PREFIX}*` } },
    }),
  );
}

/** For the router: creates tasks with their inputs, reads the routing, writes the valve and the backlog snapshot. */
export function grantIntake(store: StoreResources, grantee: IGrantable): Grant {
  return grantOn(store.tasks, grantee, INTAKE_TASK_ACTIONS, KEY_WRITE_ACTIONS)
    .combine(grantOn(store.control, grantee, INTAKE_CONTROL_ACTIONS, KEY_WRITE_ACTIONS, [ROUTING_PARTITION]))
    .combine(grantBacklog(store, grantee))
    .combine(grantOnObjects(store.payloads, PAYLOAD_PREFIX, grantee, WRITE_PAYLOAD_ACTIONS));
}

/** For the status function: reads tasks and results, cancels tasks, stores feedback. */
export function grantStatus(store: StoreResources, grantee: IGrantable): Grant {
  return grantOn(store.tasks, grantee, STATUS_TASK_ACTIONS, KEY_WRITE_ACTIONS)
    .combine(grantBacklog(store, grantee))
    .combine(grantPayloads(store, grantee, READ_PAYLOAD_ACTIONS));
}

/** For the worker: claims and finishes tasks, writes journals and sessions, reads whether its release is revoked. */
export function grantWorker(store: StoreResources, grantee: IGrantable): Grant {
  return grantOn(store.tasks, grantee, WORKER_TASK_ACTIONS, KEY_WRITE_ACTIONS)
    .combine(grantOn(store.sessions, grantee, WORKER_SESSION_ACTIONS, KEY_WRITE_ACTIONS))
    .combine(grantReadRouting(store, grantee))
    .combine(grantPayloads(store, grantee, [...READ_PAYLOAD_ACTIONS, ...WRITE_PAYLOAD_ACTIONS]));
}

/** For a worker that records model calls: writes them, and cannot read them. */
export function grantWriteTranscripts(store: StoreResources, grantee: IGrantable): Grant {
  return grantOnObjects(store.payloads, TRANSCRIPT_PREFIX, grantee, WRITE_PAYLOAD_ACTIONS);
}

/** For the webhook function: reads finished tasks, records deliveries. */
export function grantWebhooks(store: StoreResources, grantee: IGrantable): Grant {
  return grantOn(store.tasks, grantee, WEBHOOK_TASK_ACTIONS, KEY_WRITE_ACTIONS);
}

/** For the redrive function: reopens tasks, reads the routing, writes to the audit trail. */
export function grantRedrive(store: StoreResources, grantee: IGrantable): Grant {
  return grantOn(store.tasks, grantee, REDRIVE_TASK_ACTIONS, KEY_WRITE_ACTIONS)
    .combine(grantOn(store.control, grantee, REDRIVE_ROUTING_ACTIONS, KEY_READ_ACTIONS, [ROUTING_PARTITION]))
    .combine(grantOn(store.control, grantee, AUDIT_ACTIONS, KEY_WRITE_ACTIONS, [AUDIT_PARTITION]));
}

/** For the preflight: creates a probe task and polls it. */
export function grantPreflight(store: StoreResources, grantee: IGrantable): Grant {
  return grantOn(store.tasks, grantee, PREFLIGHT_TASK_ACTIONS, KEY_WRITE_ACTIONS);
}

/** For the evidence check and workers: reads the promoted release and the rollout. */
export function grantReadRouting(store: StoreResources, grantee: IGrantable): Grant {
  return grantOn(store.control, grantee, READ_ROUTING_ACTIONS, KEY_READ_ACTIONS, [ROUTING_PARTITION]);
}

/** For workers that share the rate limits of the providers. */
export function grantLimits(store: StoreResources, grantee: IGrantable): Grant {
  return grantOn(store.control, grantee, LIMIT_ACTIONS, KEY_WRITE_ACTIONS, [`${LIMIT_PARTITION_PREFIX}*`]);
}

/** For workers: adds the cost of tasks to the budgets. */
export function grantSpend(store: StoreResources, grantee: IGrantable): Grant {
  return grantOn(store.control, grantee, SPEND_ACTIONS, KEY_WRITE_ACTIONS, [`${BUDGET_PARTITION_PREFIX}*`]);
}

/** For the router: reads the budgets. */
export function grantReadBudgets(store: StoreResources, grantee: IGrantable): Grant {
  return grantOn(store.control, grantee, READ_BUDGET_ACTIONS, KEY_READ_ACTIONS, [`${BUDGET_PARTITION_PREFIX}*`]);
}

/** For the recorder: writes releases, routing and audit. It deletes nothing. */
export function grantRecorder(store: StoreResources, grantee: IGrantable): Grant {
  return grantOn(store.control, grantee, RECORDER_CONTROL_ACTIONS, KEY_WRITE_ACTIONS, [
    ROUTING_PARTITION,
    `${RELEASE_PARTITION_PREFIX}*`,
    AUDIT_PARTITION,
  ]);
}

function grantBacklog(store: StoreResources, grantee: IGrantable): Grant {
  return grantOn(store.control, grantee, BACKLOG_ACTIONS, KEY_WRITE_ACTIONS, [BACKLOG_PARTITION]);
}

function grantPayloads(store: StoreResources, grantee: IGrantable, actions: string[]): Grant {
  return grantOnObjects(store.payloads, PAYLOAD_PREFIX, grantee, actions).combine(
    Grant.addToPrincipal({
      grantee,
      actions: LIST_PAYLOAD_ACTIONS,
      resourceArns: [store.payloads.bucketArn],
    }),
  );
}

/** @param partitions partition keys that the grant is limited to, `*` as wildcard; undefined: the whole table */
function grantOn(
  table: ITableV2,
  grantee: IGrantable,
  actions: string[],
  keyActions: string[],
  partitions?: string[],
): Grant {
  const grant = Grant.addToPrincipal({
    grantee,
    actions,
    resourceArns: [table.tableArn],
    ...(partitions === undefined
      ? {}
      : { conditions: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': partitions } } }),
  });
  const keyGrant = table.encryptionKey?.grant(grantee, ...keyActions);
  return keyGrant === undefined ? grant : grant.combine(keyGrant);
}

/** Grants the actions on the objects below a prefix, and the use of the bucket's key if it has one. */
function grantOnObjects(bucket: IBucket, prefix: string, grantee: IGrantable, actions: string[]): Grant {
  const objects = bucket.arnForObjects(`${prefix}*`);
  const grant = Grant.addToPrincipal({ grantee, actions, resourceArns: [objects] });
  if (Construct.isConstruct(grantee.grantPrincipal)) {
    acknowledgeWildcard(
      grantee.grantPrincipal,
      objects,
      `Object keys hold task ids, which are not known at synth; the grant is limited to the prefix ${prefix} of the bucket`,
    );
  }
  const writes = actions.some((action) => WRITE_PAYLOAD_ACTIONS.includes(action));
  const reads = actions.some((action) => !WRITE_PAYLOAD_ACTIONS.includes(action));
  const keyGrant = bucket.encryptionKey?.grant(
    grantee,
    ...(reads ? PAYLOAD_READ_KEY_ACTIONS : []),
    ...(writes ? PAYLOAD_WRITE_KEY_ACTIONS : []),
  );
  return keyGrant === undefined ? grant : grant.combine(keyGrant);
}
