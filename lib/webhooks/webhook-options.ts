import type { Duration } from 'aws-cdk-lib';
import type { IAlarmAction } from 'aws-cdk-lib/aws-cloudwatch';
import type { ISecurityGroup, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { IAgentStore } from '../state';

/** What webhooks are signed with, and where they are sent from. */
export interface WebhookSenderOptions {
  /**
   * Key that signs: `whsec_` and base64, or any other text as it stands. Receivers are given the same. While a
   * rotation lasts, webhooks are signed with the previous key as well.
   *
   * @default - created with a random value
   */
  readonly secret?: ISecret;

  /**
   * VPC that webhooks are sent from, to reach private hosts; for others it needs a way to the internet (NAT).
   *
   * @default - no VPC
   */
  readonly vpc?: IVpc;

  /** @default private subnets */
  readonly vpcSubnets?: SubnetSelection;

  /** @default one of its own, when in a VPC */
  readonly securityGroups?: ISecurityGroup[];
}

export interface SignedWebhooksOptions extends WebhookSenderOptions {
  /**
   * How long after a task's end its webhook is tried: whole seconds, 1 minute to 13 days.
   *
   * @default Duration.hours(24)
   */
  readonly retryFor?: Duration;

  /**
   * Host names to which webhooks may go although their addresses are private, and over plain HTTP. All others are called
   * over HTTPS and only at public addresses, whatever their names resolve to: a caller must not reach through a webhook
   * what he cannot reach himself.
   *
   * @default - none
   */
  readonly privateHosts?: string[];
}

/** What webhooks are built into. */
export interface WebhookContext {
  readonly agentName: string;
  readonly store: IAgentStore;
  /** @default keys that AWS manages */
  readonly encryptionKey?: IKey;
  /** Told when a webhook was given up. @default nobody */
  readonly alarmAction?: IAlarmAction;
}
