import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { ApiServer } from '../../../rehearsal/api-server';
import type { RehearsalClock } from '../../../rehearsal/core/clock';
import type { InvokeResult, LogsPort, MetricsPort } from '../../../rehearsal/core/ports';
import {
  REHEARSAL_ACCOUNT,
  REHEARSAL_REGION,
  type ResourceHandler,
  type ResourceOutcome,
  type StackContext,
} from '../../../rehearsal/core/resource';
import { createIam } from '../../../rehearsal/services/iam';
import type { Iam } from '../../../rehearsal/services/iam/model';
import { createLambda, type Lambda, type LambdaDeps } from '../../../rehearsal/services/lambda';
import { createSqs, type Sqs } from '../../../rehearsal/services/sqs';
import { ManualClock } from '../../support/manual-clock';

export const ROLE = `arn:aws:iam::${REHEARSAL_ACCOUNT}:role/worker`;

/** A metric as a service put it. */
export interface PutMetric {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, string>>;
  readonly values: readonly number[];
}

/** SQS and Lambda behind a apiServer, with a role that may do everything unless a test says otherwise. */
export class Stage {
  static async open(options: Partial<LambdaDeps> & { readonly clock?: RehearsalClock } = {}): Promise<Stage> {
    const folder = mkdtempSync(join(tmpdir(), 'agent-lanes-stage-'));
    const bootstrap = join(folder, 'bootstrap.js');
    await build({
      entryPoints: [join(__dirname, '../../../rehearsal/services/lambda/bootstrap.ts')],
      outfile: bootstrap,
      bundle: true,
      platform: 'node',
      target: 'node24',
      format: 'cjs',
    });
    const { iam, handlers } = createIam();
    const apiServer = await ApiServer.start({ iam });
    return new Stage(folder, bootstrap, iam, handlers, apiServer, options);
  }

  readonly clock: RehearsalClock;
  readonly metrics: PutMetric[] = [];
  readonly logLines: string[] = [];
  readonly ingested: string[] = [];
  readonly faults: unknown[] = [];
  readonly sqs: Sqs;
  readonly lambda: Lambda;
  private readonly handlers: ReadonlyMap<string, ResourceHandler>;
  private assets = 0;

  private constructor(
    readonly folder: string,
    bootstrap: string,
    readonly iam: Iam,
    iamHandlers: readonly ResourceHandler[],
    readonly apiServer: ApiServer,
    options: Partial<LambdaDeps>,
  ) {
    this.clock = options.clock ?? new ManualClock();
    const metrics: MetricsPort = {
      put: (namespace, name, dimensions, values) => this.metrics.push({ namespace, name, dimensions, values }),
      ingestLogLine: (line) => this.ingested.push(line),
      alarm: () => undefined,
      alarms: () => [],
    };
    const logs: LogsPort = { write: (_group, _stream, line) => this.logLines.push(line) };
    this.sqs = createSqs({ clock: this.clock, metrics, iam, endpointUrl: () => apiServer.url });
    this.lambda = createLambda({
      iam,
      logs,
      metrics,
      sqs: this.sqs.port,
      endpointUrl: () => apiServer.url,
      assetPath: (_bucket, key) => join(folder, key),
      bootstrap,
      onFault: (error) => this.faults.push(error),
      ...options,
      clock: this.clock,
    });
    apiServer.add(this.sqs.service, this.lambda.service);
    this.handlers = new Map(
      [...iamHandlers, ...this.sqs.handlers, ...this.lambda.handlers].map((handler) => [handler.type, handler]),
    );
  }

  get stack(): StackContext {
    return {
      stackName: 'Test',
      stackId: 'stack',
      region: REHEARSAL_REGION,
      account: REHEARSAL_ACCOUNT,
      partition: 'aws',
      assemblyDirectory: this.folder,
      clock: this.clock,
    };
  }

  handler(type: string): ResourceHandler {
    const handler = this.handlers.get(type);
    if (handler === undefined) {
      throw new Error(`no handler of ${type}`);
    }
    return handler;
  }

  create(type: string, logicalId: string, properties: Record<string, unknown>): Promise<ResourceOutcome> {
    return this.handler(type).create({ stack: this.stack, logicalId, path: logicalId, properties, report: () => {} });
  }

  update(
    type: string,
    logicalId: string,
    physicalId: string,
    previous: Record<string, unknown>,
    properties: Record<string, unknown>,
  ): Promise<ResourceOutcome> {
    const request = {
      stack: this.stack,
      logicalId,
      path: logicalId,
      physicalId,
      previous,
      properties,
      rollback: false,
      report: () => {},
    };
    return this.handler(type).update(request);
  }

  delete(type: string, logicalId: string, physicalId: string, properties: Record<string, unknown>): Promise<void> {
    return this.handler(type).delete({ stack: this.stack, logicalId, physicalId, properties });
  }

  /** A role that Lambda may assume. @param actions what it may do, on everything. @returns its ARN */
  async role(name = 'worker', actions: readonly string[] = ['*']): Promise<string> {
    const statement = { Effect: 'Allow', Action: actions, Resource: '*' };
    const outcome = await this.create('AWS::IAM::Role', name, {
      RoleName: name,
      AssumeRolePolicyDocument: {
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'lambda.amazonaws.com' } }],
      },
      Policies: [{ PolicyName: 'all', PolicyDocument: { Version: '2012-10-17', Statement: [statement] } }],
    });
    return String(outcome.attributes.Arn);
  }

  /** Writes files as an asset. @returns its key */
  asset(files: Readonly<Record<string, string>>): string {
    this.assets += 1;
    const key = `asset-${this.assets}`;
    for (const [path, text] of Object.entries(files)) {
      const file = join(this.folder, key, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
    return key;
  }

  /** Creates a function from the text of its `index.js`. @returns its properties */
  async function(name: string, source: string, more: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const properties = this.functionProperties(name, source, more);
    await this.create('AWS::Lambda::Function', name, properties);
    return properties;
  }

  functionProperties(name: string, source: string, more: Record<string, unknown> = {}): Record<string, unknown> {
    return {
      FunctionName: name,
      Code: { S3Bucket: 'assets', S3Key: this.asset({ 'index.js': source }) },
      Handler: 'index.handler',
      Runtime: 'nodejs24.x',
      Role: ROLE,
      ...more,
    };
  }

  /** @returns ARN of the new version */
  async publish(name: string): Promise<string> {
    return (await this.create('AWS::Lambda::Version', `${name}Version`, { FunctionName: name })).physicalId;
  }

  invoke(target: string, event: unknown = {}): Promise<InvokeResult> {
    return this.lambda.port.invoke({ function: target, payload: JSON.stringify(event), type: 'RequestResponse' });
  }

  /** A queue. @returns its URL and ARN */
  async queue(
    name: string,
    properties: Record<string, unknown> = {},
  ): Promise<{ readonly url: string; readonly arn: string }> {
    const outcome = await this.create('AWS::SQS::Queue', name, { QueueName: name, ...properties });
    return { url: outcome.physicalId, arn: String(outcome.attributes.Arn) };
  }

  async close(): Promise<void> {
    await this.lambda.stop();
    await this.sqs.stop();
    await this.apiServer.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Waits in real time until the condition holds. @throws Error after ten seconds */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > end) {
      throw new Error(`waited ten seconds for ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
