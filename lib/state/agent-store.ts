import { type Duration, RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import { AttributeType, Billing, type ITableV2, TableEncryptionV2, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { Construct, type IConstruct } from 'constructs';
import { laneError } from '../common';
import { PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE } from '../contract';
import { PayloadBucket } from './payload-bucket';
import { AgentStoreGrants } from './store-grants';

/** The data of one agent, created in this stack or imported from another. */
export interface IAgentStore extends IConstruct {
  /** Table of tasks, their step journals and feedback. */
  readonly tasks: ITableV2;
  /** Table of sessions. */
  readonly sessions: ITableV2;
  /** Table of releases, routing, rate limits, budgets and the audit trail. */
  readonly control: ITableV2;
  /** Bucket of inputs, results and steps that are too large for an item, and of recorded model calls. */
  readonly payloads: IBucket;
  /** Permissions for principals outside the library. */
  readonly grants: AgentStoreGrants;
}

/** Settings of an {@link AgentStore}. */
export interface AgentStoreProps {
  /**
   * Encrypts the tables and the bucket that the store creates. The stack must have a concrete region.
   *
   * @default - keys that DynamoDB and S3 own
   */
  readonly encryptionKey?: IKey;
  /**
   * What happens to the tables and the bucket when the stack is deleted. CloudFormation deletes a bucket only when it is
   * empty: with DESTROY, empty it first (`aws s3 rm --recursive s3://…`), or wait until its objects have expired.
   *
   * @default RemovalPolicy.RETAIN
   */
  readonly removalPolicy?: RemovalPolicy;
  /**
   * Whether DynamoDB refuses to delete the tables that the store creates.
   *
   * @default - true, unless the removal policy is DESTROY
   */
  readonly deletionProtection?: boolean;
  /**
   * Table of tasks. Keys `pk` and `sk`, both strings; time to live `expiresAt`.
   *
   * @default - a table is created
   */
  readonly tasks?: ITableV2;
  /**
   * Table of sessions; same keys as {@link tasks}.
   *
   * @default - a table is created
   */
  readonly sessions?: ITableV2;
  /**
   * Table of releases, routing and audit; same keys as {@link tasks}.
   *
   * @default - a table is created
   */
  readonly control?: ITableV2;
  /**
   * Bucket of inputs, results and steps that are too large for an item (`tasks/`), and of recorded model calls
   * (`transcripts/`). An existing bucket has its own encryption and its own expiry of both prefixes: `tasks/` must not
   * expire sooner than 22 days after the agent's `taskRetention`. It must belong to this agent alone.
   *
   * @default - a bucket is created
   */
  readonly payloads?: IBucket;
}

/** Resources of a store that another stack created. */
export interface AgentStoreAttributes {
  /** Table of tasks. */
  readonly tasks: ITableV2;
  /** Table of sessions. */
  readonly sessions: ITableV2;
  /** Table of releases, routing and audit. */
  readonly control: ITableV2;
  /** Bucket of payloads and transcripts. */
  readonly payloads: IBucket;
}

/** State of one agent: tasks, sessions, control (releases, routing, audit), and payloads. Each agent needs its own store. */
export class AgentStore extends Construct implements IAgentStore {
  /** A store that another stack created, to grant access to its data. */
  static fromAgentStoreAttributes(scope: Construct, id: string, attributes: AgentStoreAttributes): IAgentStore {
    return new ImportedStore(scope, id, attributes);
  }

  readonly tasks: ITableV2;
  readonly sessions: ITableV2;
  readonly control: ITableV2;
  readonly payloads: IBucket;
  readonly grants: AgentStoreGrants;
  /** Undefined when the bucket was passed as a prop. */
  private readonly createdBucket: PayloadBucket | undefined;
  private owner: string | undefined;

  constructor(scope: Construct, id: string, props: AgentStoreProps = {}) {
    super(scope, id);
    this.tasks = props.tasks ?? this.createTable('Tasks', props);
    this.sessions = props.sessions ?? this.createTable('Sessions', props);
    this.control = props.control ?? this.createTable('Control', props);
    if (props.payloads === undefined) {
      this.createdBucket = new PayloadBucket(this, 'Payloads', {
        removalPolicy: props.removalPolicy ?? RemovalPolicy.RETAIN,
        encryptionKey: props.encryptionKey,
      });
      this.payloads = this.createdBucket;
    } else {
      this.payloads = props.payloads;
    }
    this.grants = new AgentStoreGrants(this.tasks, this.payloads);
  }

  /**
   * Sets how long the created bucket keeps objects. Called by the agent that owns the store.
   *
   * @param tasks how long a finished task is kept; its objects are kept longer by the time that they may be older than its end
   * @param transcripts how long model calls are kept; undefined: until they are deleted by hand
   *
   * @internal
   */
  _expirePayloads(tasks: Duration, transcripts: Duration | undefined): void {
    this.createdBucket?.expire(tasks, transcripts);
  }

  /**
   * Binds the store to its agent. Routing is kept per store: the rollouts of one agent would route the tasks of a second.
   *
   * @internal
   */
  _claimFor(agent: Construct, agentName: string): void {
    if (this.owner !== undefined) {
      throw laneError(
        agent,
        'ConflictingStore',
        `store ${this.node.path} already belongs to agent "${this.owner}" and cannot serve "${agentName}" as well: each agent needs its own store; create another AgentStore`,
      );
    }
    this.owner = agentName;
  }

  private createTable(id: string, props: AgentStoreProps): ITableV2 {
    const removalPolicy = props.removalPolicy ?? RemovalPolicy.RETAIN;
    if (props.encryptionKey !== undefined && Token.isUnresolved(Stack.of(this).region)) {
      throw laneError(
        this,
        'MissingRegion',
        'encryptionKey is given, but the region of the stack is a token: a global table names the key of each of its regions, so the stack must have a concrete region; set env: { region: … } on the stack',
      );
    }
    return new TableV2(this, id, {
      partitionKey: { name: PARTITION_KEY, type: AttributeType.STRING },
      sortKey: { name: SORT_KEY, type: AttributeType.STRING },
      timeToLiveAttribute: TTL_ATTRIBUTE,
      billing: Billing.onDemand(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      encryption:
        props.encryptionKey === undefined
          ? TableEncryptionV2.dynamoOwnedKey()
          : TableEncryptionV2.customerManagedKey(props.encryptionKey),
      removalPolicy,
      deletionProtection: props.deletionProtection ?? removalPolicy !== RemovalPolicy.DESTROY,
    });
  }
}

class ImportedStore extends Construct implements IAgentStore {
  readonly tasks: ITableV2;
  readonly sessions: ITableV2;
  readonly control: ITableV2;
  readonly payloads: IBucket;
  readonly grants: AgentStoreGrants;

  constructor(scope: Construct, id: string, attributes: AgentStoreAttributes) {
    super(scope, id);
    this.tasks = attributes.tasks;
    this.sessions = attributes.sessions;
    this.control = attributes.control;
    this.payloads = attributes.payloads;
    this.grants = new AgentStoreGrants(this.tasks, this.payloads);
  }
}

/** Binds a store of this app to the agent; an imported one belongs to the agent of its own stack. */
export function claimStore(store: IAgentStore, agent: Construct, agentName: string): void {
  if (store instanceof AgentStore) {
    store._claimFor(agent, agentName);
  }
}
