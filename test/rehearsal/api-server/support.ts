import { ApiServer } from '../../../rehearsal/api-server';
import type { Credentials } from '../../../rehearsal/core/principal';
import { OPERATOR_CREDENTIALS } from '../../../rehearsal/core/principal';
import {
  REHEARSAL_ACCOUNT,
  REHEARSAL_REGION,
  type ResourceHandler,
  type ResourceOutcome,
  type StackContext,
} from '../../../rehearsal/core/resource';
import type { RehearsalService } from '../../../rehearsal/core/service';
import { createIam } from '../../../rehearsal/services/iam';
import type { Iam } from '../../../rehearsal/services/iam/model';
import { ManualClock } from '../../support/manual-clock';

export interface ClientSettings {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: Credentials;
  readonly maxAttempts: number;
}

export interface Rig {
  readonly apiServer: ApiServer;
  readonly iam: Iam;
  readonly faults: unknown[];
  /** Settings for an SDK client that acts as the operator. */
  readonly operator: ClientSettings;
  /** Settings for an SDK client that acts as a new role with exactly these statements. */
  role(name: string, ...statements: readonly object[]): ClientSettings;
  stop(): Promise<void>;
}

export const LAMBDA_TRUST = {
  Version: '2012-10-17',
  Statement: { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'lambda.amazonaws.com' } },
};

export function roleArn(name: string): string {
  return `arn:aws:iam::${REHEARSAL_ACCOUNT}:role/${name}`;
}

/** A apiServer with the given services, for clients to talk to. */
export async function startRig(services: (iam: Iam) => readonly RehearsalService[]): Promise<Rig> {
  const { iam } = createIam();
  const faults: unknown[] = [];
  const apiServer = await ApiServer.start({ iam, onFault: (error) => faults.push(error) });
  apiServer.add(...services(iam));
  const settings = (credentials: Credentials): ClientSettings => ({
    endpoint: apiServer.url,
    region: REHEARSAL_REGION,
    credentials,
    maxAttempts: 1,
  });
  return {
    apiServer,
    iam,
    faults,
    operator: settings(OPERATOR_CREDENTIALS),
    role: (name, ...statements) => {
      const policy = { Version: '2012-10-17', Statement: statements };
      iam.putRole({ arn: roleArn(name), name, trust: LAMBDA_TRUST, inline: { inline: policy }, managedArns: [] });
      return settings(iam.sessionFor(roleArn(name), `${name}-session`));
    },
    stop: () => apiServer.stop(),
  };
}

export function stackContext(clock = new ManualClock()): StackContext {
  return {
    stackName: 'Test',
    stackId: `arn:aws:cloudformation:${REHEARSAL_REGION}:${REHEARSAL_ACCOUNT}:stack/Test/1`,
    region: REHEARSAL_REGION,
    account: REHEARSAL_ACCOUNT,
    partition: 'aws',
    assemblyDirectory: '/nowhere',
    clock,
  };
}

/** Drives the handler of one type as CloudFormation would. */
export class Resource {
  private previous: Readonly<Record<string, unknown>> = {};
  private physicalId = '';

  constructor(
    private readonly handler: ResourceHandler,
    private readonly logicalId = 'Thing',
    private readonly stack = stackContext(),
  ) {}

  static of(handlers: readonly ResourceHandler[], type: string, logicalId?: string): Resource {
    const handler = handlers.find((one) => one.type === type);
    if (handler === undefined) throw new Error(`no handler for ${type}`);
    return new Resource(handler, logicalId);
  }

  async create(properties: Readonly<Record<string, unknown>>): Promise<ResourceOutcome> {
    const outcome = await this.handler.create(this.request(properties));
    this.previous = properties;
    this.physicalId = outcome.physicalId;
    return outcome;
  }

  async update(properties: Readonly<Record<string, unknown>>): Promise<ResourceOutcome> {
    const { previous, physicalId } = this;
    const request = { ...this.request(properties), previous, physicalId, rollback: false };
    const outcome = await this.handler.update(request);
    this.previous = properties;
    return outcome;
  }

  async delete(): Promise<void> {
    const { stack, logicalId, physicalId, previous: properties } = this;
    await this.handler.delete({ stack, logicalId, physicalId, properties });
  }

  private request(properties: Readonly<Record<string, unknown>>) {
    const { stack, logicalId } = this;
    return { stack, logicalId, path: `Test/${logicalId}`, properties, report: () => {} };
  }
}
