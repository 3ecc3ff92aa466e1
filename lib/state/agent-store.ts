import { RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import { laneError } from '../common';
import { PARTITION_KEY, ROUTING_PARTITION, SORT_KEY, TTL_ATTRIBUTE } from '../contract';
import {
  INTAKE_CONTROL_ACTIONS,
  INTAKE_TASK_ACTIONS,
  KEY_READ_ACTIONS,
  KEY_WRITE_ACTIONS,
  PREFLIGHT_TASK_ACTIONS,
  READ_ROUTING_ACTIONS,
  READ_TASK_ACTIONS,
  RECORDER_CONTROL_ACTIONS,
  WORKER_SESSION_ACTIONS,
  WORKER_TASK_ACTIONS,
} from './perms';

export interface AgentStoreProps {
  /** For the tables that are created here; the stack must have a concrete region. @default a key that DynamoDB owns */
  readonly encryptionKey?: kms.IKey;
  /** @default RemovalPolicy.RETAIN */
  readonly removalPolicy?: RemovalPolicy;
  /** @default true, unless the removal policy is DESTROY */
  readonly deletionProtection?: boolean;
  /** Table of tasks. Keys `pk` and `sk`, both strings; time to live `expiresAt`. @default created here */
  readonly tasks?: dynamodb.ITableV2;
  /** Table of sessions; same shape. @default created here */
  readonly sessions?: dynamodb.ITableV2;
  /** Table of releases, routing and audit; same shape. @default created here */
  readonly control?: dynamodb.ITableV2;
}

/** State of one agent: tasks, sessions, and control (releases, routing, audit). One agent, one store. */
export class AgentStore extends Construct {
  readonly tasks: dynamodb.ITableV2;
  readonly sessions: dynamodb.ITableV2;
  readonly control: dynamodb.ITableV2;
  private owner: string | undefined;

  constructor(scope: Construct, id: string, props: AgentStoreProps = {}) {
    super(scope, id);
    this.tasks = props.tasks ?? this.table('Tasks', props);
    this.sessions = props.sessions ?? this.table('Sessions', props);
    this.control = props.control ?? this.table('Control', props);
  }

  /** For the router: accepts tasks, reads the routing, writes the valve. */
  grantIntake(grantee: iam.IGrantable): iam.Grant {
    return grantOn(this.tasks, grantee, INTAKE_TASK_ACTIONS, KEY_WRITE_ACTIONS).combine(
      grantOn(this.control, grantee, INTAKE_CONTROL_ACTIONS, KEY_WRITE_ACTIONS, [ROUTING_PARTITION]),
    );
  }

  /** For the worker: claims and ends tasks, keeps session states. */
  grantWorker(grantee: iam.IGrantable): iam.Grant {
    return grantOn(this.tasks, grantee, WORKER_TASK_ACTIONS, KEY_WRITE_ACTIONS).combine(
      grantOn(this.sessions, grantee, WORKER_SESSION_ACTIONS, KEY_WRITE_ACTIONS),
    );
  }

  /** For the status API and for whoever may look at tasks and their results. */
  grantRead(grantee: iam.IGrantable): iam.Grant {
    return grantOn(this.tasks, grantee, READ_TASK_ACTIONS, KEY_READ_ACTIONS);
  }

  /** For the preflight: puts a probe task and waits for its end. */
  grantPreflight(grantee: iam.IGrantable): iam.Grant {
    return grantOn(this.tasks, grantee, PREFLIGHT_TASK_ACTIONS, KEY_WRITE_ACTIONS);
  }

  /** For checks: what is promoted, what is rolled out. */
  grantReadRouting(grantee: iam.IGrantable): iam.Grant {
    return grantOn(this.control, grantee, READ_ROUTING_ACTIONS, KEY_READ_ACTIONS, [ROUTING_PARTITION]);
  }

  /** For the recorder: writes releases, routing and audit. It may delete nothing. */
  grantRecorder(grantee: iam.IGrantable): iam.Grant {
    return grantOn(this.control, grantee, RECORDER_CONTROL_ACTIONS, KEY_WRITE_ACTIONS, [
      ROUTING_PARTITION,
      'RELEASE#*',
      'AUDIT',
    ]);
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
        'StoreInUse',
        `store ${this.node.path} already belongs to agent "${this.owner}" and cannot serve "${agentName}", too: expected a store for each agent; create another AgentStore`,
      );
    }
    this.owner = agentName;
  }

  private table(id: string, props: AgentStoreProps): dynamodb.ITableV2 {
    const removalPolicy = props.removalPolicy ?? RemovalPolicy.RETAIN;
    if (props.encryptionKey !== undefined && Token.isUnresolved(Stack.of(this).region)) {
      throw laneError(
        this,
        'KeyNeedsRegion',
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
