import { type Duration, RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import type * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { laneError } from '../common';
import {
  BACKLOG_PARTITION,
  BUDGET_PARTITION_PREFIX,
  ControlKey,
  LIMIT_PARTITION_PREFIX,
  PARTITION_KEY,
  PAYLOAD_PREFIX,
  ROUTING_PARTITION,
  SORT_KEY,
  TRANSCRIPT_PREFIX,
  TTL_ATTRIBUTE,
} from '../contract';
import { grantOnObjects } from './grant-objects';
import { PayloadBucket } from './payload-bucket';
import {
  AUDIT_ACTIONS,
  BACKLOG_ACTIONS,
  INTAKE_CONTROL_ACTIONS,
  INTAKE_TASK_ACTIONS,
  KEY_READ_ACTIONS,
  KEY_WRITE_ACTIONS,
  LIMIT_ACTIONS,
  LIST_PAYLOAD_ACTIONS,
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

export interface AgentStoreProps {
  /**
   * For the tables and the bucket that are created here; the stack must have a concrete region.
   *
   * @default keys that DynamoDB and S3 own
   */
  readonly encryptionKey?: kms.IKey;
  /**
   * What becomes of the tables and the bucket when the stack is deleted. CloudFormation deletes a bucket only when it is
   * empty: with DESTROY, empty it first (`aws s3 rm --recursive s3://…`), or wait until its objects have expired.
   *
   * @default RemovalPolicy.RETAIN
   */
  readonly removalPolicy?: RemovalPolicy;
  /** @default true, unless the removal policy is DESTROY */
  readonly deletionProtection?: boolean;
  /** Table of tasks. Keys `pk` and `sk`, both strings; time to live `expiresAt`. @default created here */
  readonly tasks?: dynamodb.ITableV2;
  /** Table of sessions; same shape. @default created here */
  readonly sessions?: dynamodb.ITableV2;
  /** Table of releases, routing and audit; same shape. @default created here */
  readonly control?: dynamodb.ITableV2;
  /**
   * Bucket of inputs, results and steps that are too large for an item (`tasks/`), and of recorded model calls
   * (`transcripts/`). One that is handed in brings its own encryption and its own expiry of both prefixes, the first no
   * sooner than 22 days after the agent's `taskRetention`; and it belongs to this agent alone. @default created here
   */
  readonly payloads?: s3.IBucket;
}

/** State of one agent: tasks, sessions, control (releases, routing, audit), and payloads. One agent, one store. */
export class AgentStore extends Construct {
  readonly tasks: dynamodb.ITableV2;
  readonly sessions: dynamodb.ITableV2;
  readonly control: dynamodb.ITableV2;
  readonly payloads: s3.IBucket;
  /** Undefined when a bucket was handed in. */
  private readonly ownBucket: PayloadBucket | undefined;
  private owner: string | undefined;

  constructor(scope: Construct, id: string, props: AgentStoreProps = {}) {
    super(scope, id);
    this.tasks = props.tasks ?? this.table('Tasks', props);
    this.sessions = props.sessions ?? this.table('Sessions', props);
    this.control = props.control ?? this.table('Control', props);
    if (props.payloads === undefined) {
      this.ownBucket = new PayloadBucket(this, 'Payloads', {
        removalPolicy: props.removalPolicy ?? RemovalPolicy.RETAIN,
        encryptionKey: props.encryptionKey,
      });
      // The CDK's own classes do not fit its interfaces under exactOptionalPropertyTypes.
      this.payloads = this.ownBucket as s3.IBucket;
    } else {
      this.payloads = props.payloads;
    }
  }

  /** For the router: accepts tasks with their inputs, reads the routing, writes the valve and the view of the backlog. */
  grantIntake(grantee: iam.IGrantable): iam.Grant {
    return grantOn(this.tasks, grantee, INTAKE_TASK_ACTIONS, KEY_WRITE_ACTIONS)
      .combine(grantOn(this.control, grantee, INTAKE_CONTROL_ACTIONS, KEY_WRITE_ACTIONS, [ROUTING_PARTITION]))
      .combine(this.grantBacklog(grantee))
      .combine(grantOnObjects(this.payloads, PAYLOAD_PREFIX, grantee, WRITE_PAYLOAD_ACTIONS));
  }

  /** For the status function: tells of tasks and their results, cancels, takes judgements. */
  grantStatus(grantee: iam.IGrantable): iam.Grant {
    return grantOn(this.tasks, grantee, STATUS_TASK_ACTIONS, KEY_WRITE_ACTIONS)
      .combine(this.grantBacklog(grantee))
      .combine(this.grantPayloads(grantee, READ_PAYLOAD_ACTIONS));
  }

  /** For the worker: claims and ends tasks, keeps their journals and the states of sessions, sees a release revoked. */
  grantWorker(grantee: iam.IGrantable): iam.Grant {
    return grantOn(this.tasks, grantee, WORKER_TASK_ACTIONS, KEY_WRITE_ACTIONS)
      .combine(grantOn(this.sessions, grantee, WORKER_SESSION_ACTIONS, KEY_WRITE_ACTIONS))
      .combine(this.grantReadRouting(grantee))
      .combine(this.grantPayloads(grantee, [...READ_PAYLOAD_ACTIONS, ...WRITE_PAYLOAD_ACTIONS]));
  }

  /** For a worker that records model calls: writes them, and cannot read them. */
  grantWriteTranscripts(grantee: iam.IGrantable): iam.Grant {
    return grantOnObjects(this.payloads, TRANSCRIPT_PREFIX, grantee, WRITE_PAYLOAD_ACTIONS);
  }

  /** For whoever may read recorded model calls: those of a task are below `transcripts/<task id>/`. */
  grantReadTranscripts(grantee: iam.IGrantable): iam.Grant {
    return grantOnObjects(this.payloads, TRANSCRIPT_PREFIX, grantee, READ_PAYLOAD_ACTIONS).combine(
      iam.Grant.addToPrincipal({
        grantee,
        actions: LIST_PAYLOAD_ACTIONS,
        resourceArns: [this.payloads.bucketArn],
        conditions: { StringLike: { 's3:prefix': `${TRANSCRIPT_PREFIX}*` } },
      }),
    );
  }

  /** For whoever may look at tasks in the table, one at a time by id. Large results are in the bucket. */
  grantRead(grantee: iam.IGrantable): iam.Grant {
    return grantOn(this.tasks, grantee, READ_TASK_ACTIONS, KEY_READ_ACTIONS);
  }

  /** For the webhook function: reads what to tell, writes that it was told. */
  grantWebhooks(grantee: iam.IGrantable): iam.Grant {
    return grantOn(this.tasks, grantee, WEBHOOK_TASK_ACTIONS, KEY_WRITE_ACTIONS);
  }

  /** For the redrive function: reopens tasks, reads the routing, and leaves a trail. */
  grantRedrive(grantee: iam.IGrantable): iam.Grant {
    return grantOn(this.tasks, grantee, REDRIVE_TASK_ACTIONS, KEY_WRITE_ACTIONS)
      .combine(grantOn(this.control, grantee, REDRIVE_ROUTING_ACTIONS, KEY_READ_ACTIONS, [ROUTING_PARTITION]))
      .combine(grantOn(this.control, grantee, AUDIT_ACTIONS, KEY_WRITE_ACTIONS, [AUDIT_PARTITION]));
  }

  /** For the preflight: puts a probe task and waits for its end. */
  grantPreflight(grantee: iam.IGrantable): iam.Grant {
    return grantOn(this.tasks, grantee, PREFLIGHT_TASK_ACTIONS, KEY_WRITE_ACTIONS);
  }

  /** For checks and workers: what is promoted, what is rolled out. */
  grantReadRouting(grantee: iam.IGrantable): iam.Grant {
    return grantOn(this.control, grantee, READ_ROUTING_ACTIONS, KEY_READ_ACTIONS, [ROUTING_PARTITION]);
  }

  /** For workers that share the limits of the providers. */
  grantLimits(grantee: iam.IGrantable): iam.Grant {
    return grantOn(this.control, grantee, LIMIT_ACTIONS, KEY_WRITE_ACTIONS, [`${LIMIT_PARTITION_PREFIX}*`]);
  }

  /** For workers: count what tasks cost against the budgets. */
  grantSpend(grantee: iam.IGrantable): iam.Grant {
    return grantOn(this.control, grantee, SPEND_ACTIONS, KEY_WRITE_ACTIONS, [`${BUDGET_PARTITION_PREFIX}*`]);
  }

  /** For the router: looks at the budgets. */
  grantReadBudgets(grantee: iam.IGrantable): iam.Grant {
    return grantOn(this.control, grantee, READ_BUDGET_ACTIONS, KEY_READ_ACTIONS, [`${BUDGET_PARTITION_PREFIX}*`]);
  }

  /** For the recorder: writes releases, routing and audit. It may delete nothing. */
  grantRecorder(grantee: iam.IGrantable): iam.Grant {
    return grantOn(this.control, grantee, RECORDER_CONTROL_ACTIONS, KEY_WRITE_ACTIONS, [
      ROUTING_PARTITION,
      'RELEASE#*',
      AUDIT_PARTITION,
    ]);
  }

  /**
   * Called by the agent that keeps its state here: how long objects are kept in the bucket that was created here.
   *
   * @param tasks how long a finished task is kept; its objects stay as much longer as they may be older than its end
   * @param transcripts how long model calls are kept; without, what was ever recorded stays
   *
   * @internal
   */
  _expirePayloads(tasks: Duration, transcripts: Duration | undefined): void {
    this.ownBucket?.expire(tasks, transcripts);
  }

  /**
   * Called by the agent that keeps its state here. The routing is kept per store, so a second agent would be routed by
   * the first one's rollouts.
   *
   * @internal
   */
  _claimFor(agent: Construct, agentName: string): void {
    if (this.owner !== undefined) {
      throw laneError(
        agent,
        'ConflictingStore',
        `store ${this.node.path} already belongs to agent "${this.owner}" and cannot serve "${agentName}", too: expected a store for each agent; create another AgentStore`,
      );
    }
    this.owner = agentName;
  }

  private grantPayloads(grantee: iam.IGrantable, actions: string[]): iam.Grant {
    return grantOnObjects(this.payloads, PAYLOAD_PREFIX, grantee, actions).combine(
      iam.Grant.addToPrincipal({
        grantee,
        actions: LIST_PAYLOAD_ACTIONS,
        resourceArns: [this.payloads.bucketArn],
      }),
    );
  }

  private grantBacklog(grantee: iam.IGrantable): iam.Grant {
    return grantOn(this.control, grantee, BACKLOG_ACTIONS, KEY_WRITE_ACTIONS, [BACKLOG_PARTITION]);
  }

  private table(id: string, props: AgentStoreProps): dynamodb.ITableV2 {
    const removalPolicy = props.removalPolicy ?? RemovalPolicy.RETAIN;
    if (props.encryptionKey !== undefined && Token.isUnresolved(Stack.of(this).region)) {
      throw laneError(
        this,
        'MissingRegion',
        'the store has an encryptionKey and its stack no region: expected a stack with a concrete region, for a global table names the key of each of its regions; give the stack env: { region: … }',
      );
    }
    const table = new dynamodb.TableV2(this, id, {
      partitionKey: { name: PARTITION_KEY, type: dynamodb.AttributeType.STRING },
      sortKey: { name: SORT_KEY, type: dynamodb.AttributeType.STRING },
      timeToLiveAttribute: TTL_ATTRIBUTE,
      billing: dynamodb.Billing.onDemand(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      encryption:
        props.encryptionKey === undefined
          ? dynamodb.TableEncryptionV2.dynamoOwnedKey()
          : dynamodb.TableEncryptionV2.customerManagedKey(props.encryptionKey),
      removalPolicy,
      deletionProtection: props.deletionProtection ?? removalPolicy !== RemovalPolicy.DESTROY,
    });
    // The CDK's own classes do not fit its interfaces under exactOptionalPropertyTypes.
    return table as dynamodb.ITableV2;
  }
}

/** @param partitions partition keys that the grant is limited to, `*` as wildcard; all without */
function grantOn(
  table: dynamodb.ITableV2,
  grantee: iam.IGrantable,
  actions: string[],
  keyActions: string[],
  partitions?: string[],
): iam.Grant {
  const grant = iam.Grant.addToPrincipal({
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
