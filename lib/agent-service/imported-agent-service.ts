import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { Intake } from '../intake';
import { AgentGrants } from './agent-grants';
import { AgentServiceBase } from './agent-service-base';

/**
 * An agent that another stack created, in the account and region of the importing stack. The other stack's outputs hold
 * the values.
 */
export interface AgentServiceAttributes {
  /** Name of the agent: output `AgentName`. */
  readonly agentName: string;

  /** Id of the HTTP API: output `ApiId`. */
  readonly apiId: string;

  /**
   * URL of the HTTP API, without a path: output `Endpoint`.
   *
   * @default - the default endpoint of the API in the stack's region
   */
  readonly endpoint?: string;

  /** Queue for direct producers: `Queue.fromQueueArn` of output `InboxArn`. */
  readonly inbox: IQueue;

  /**
   * Function that redrives tasks: `Function.fromFunctionName` of output `RedriveFunction`.
   *
   * @default - `grants.redrive` throws
   */
  readonly redriveFunction?: IFunction;

  /**
   * Bucket of payloads and transcripts: `Bucket.fromBucketName` of output `PayloadBucket`, or `fromBucketAttributes` with
   * the key of an encrypted bucket.
   *
   * @default - `grants.readTranscripts` throws
   */
  readonly payloads?: IBucket;
}

/** An agent in another stack. */
export class ImportedAgentService extends AgentServiceBase {
  readonly agentName: string;
  readonly endpoint: string;
  readonly inbox: IQueue;
  readonly grants: AgentGrants;

  constructor(scope: Construct, id: string, attributes: AgentServiceAttributes) {
    super(scope, id);
    const { agentName, apiId, endpoint, inbox, redriveFunction, payloads } = attributes;
    const intake = Intake.fromIntakeAttributes(this, 'Intake', { agentName, apiId, endpoint, inbox });
    this.agentName = agentName;
    this.endpoint = intake.endpoint;
    this.inbox = inbox;
    this.grants = AgentGrants._on(this, { intake, redriveFunction, payloads });
  }
}
