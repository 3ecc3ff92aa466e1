import type { Duration } from 'aws-cdk-lib';
import type { IAlarmAction } from 'aws-cdk-lib/aws-cloudwatch';
import type { ISecurityGroup, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { IAgentStore } from '../state';

/** How webhooks are signed, and the network that they are sent from. */
export interface WebhookSenderOptions {
  /**
   * Signing key: `whsec_` and base64, or any other text, which is used as it is. Receivers need the same key. During a
   * rotation, webhooks are signed with the previous key as well.
   *
   * @default - a secret with a random value is created
   */
  readonly secret?: ISecret;

  /**
   * VPC that webhooks are sent from, to reach private hosts. Public hosts then need a NAT gateway.
   *
   * @default - no VPC
   */
  readonly vpc?: IVpc;

  /** Subnets of the webhook function. @default - private subnets of the VPC */
  readonly vpcSubnets?: SubnetSelection;

  /** Security groups of the webhook function. @default - one is created, when in a VPC */
  readonly securityGroups?: ISecurityGroup[];
}

/** Options of `Webhooks.signed`. */
export interface SignedWebhooksOptions extends WebhookSenderOptions {
  /**
   * How long after a task's end its webhook is retried: whole seconds, 1 minute to 13 days. Queues keep messages for 14 days.
   *
   * @default Duration.hours(24)
   */
  readonly retryFor?: Duration;

  /**
   * Host names that webhooks may call at private addresses and over plain HTTP. All other hosts are called over HTTPS and only
   * at public addresses, independent of what their names resolve to: callers must not reach private hosts through a webhook.
   *
   * @default - no private hosts
   */
  readonly privateHosts?: string[];
}

/** The agent that the webhooks belong to. */
export interface WebhookContext {
  /** Name of the agent: value of the metric dimension `Agent`. */
  readonly agentName: string;
  /** Where tasks are recorded. */
  readonly store: IAgentStore;
  /** Key that encrypts the queues and the secret. @default - keys that AWS manages */
  readonly encryptionKey?: IKey;
  /** Notified when a webhook is abandoned. @default - no alarm action */
  readonly alarmAction?: IAlarmAction;
}
