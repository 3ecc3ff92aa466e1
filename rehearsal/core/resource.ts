import type { RehearsalClock } from './clock';

/** What CloudFormation asks of a resource type. One handler per type; the services register theirs. */
export interface ResourceHandler {
  /** `AWS::SQS::Queue` */
  readonly type: string;
  /** AWS document that the handler's behavior was read from. */
  readonly source: string;
  /**
   * Properties this handler understands (first level). A template that sets another one is refused by name before
   * anything is created, so that nothing is silently ignored.
   */
  readonly properties: readonly string[];
  /** Of these, the ones whose change means replacement. */
  readonly replaceOn: readonly string[];
  /**
   * Features of this resource that cannot be rehearsed although its properties are known: refused by name before anything
   * changes.
   * @param properties as the template has them
   * @param resolve a value of the template; undefined when it depends on a resource that does not exist yet
   * @default - none
   */
  refusals?(properties: Readonly<Record<string, unknown>>, resolve: (value: unknown) => unknown): readonly string[];
  create(request: ResourceRequest): Promise<ResourceOutcome>;
  update(request: ResourceUpdateRequest): Promise<ResourceOutcome>;
  delete(request: ResourceDeleteRequest): Promise<void>;
}

export interface ResourceRequest {
  readonly stack: StackContext;
  readonly logicalId: string;
  /** Path of the construct (`aws:cdk:path`), for messages; the logical id if absent. */
  readonly path: string;
  /** Every intrinsic resolved. */
  readonly properties: Readonly<Record<string, unknown>>;
  /** `UpdatePolicy` of the resource, resolved. */
  readonly updatePolicy?: Readonly<Record<string, unknown>>;
  /** Progress to print below the resource (a CodeDeploy shift reports its steps here). */
  report(message: string): void;
}

export interface ResourceUpdateRequest extends ResourceRequest {
  readonly physicalId: string;
  readonly previous: Readonly<Record<string, unknown>>;
  /** True when the update is part of a rollback: an alias then changes without a CodeDeploy deployment. */
  readonly rollback: boolean;
}

export interface ResourceDeleteRequest {
  readonly stack: StackContext;
  readonly logicalId: string;
  readonly physicalId: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

export interface ResourceOutcome {
  /** Physical id. A new one means that the resource was replaced. */
  readonly physicalId: string;
  /** What `Ref` gives. Default: the physical id. */
  readonly ref?: string;
  /** What `Fn::GetAtt` gives. */
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
}

export interface StackContext {
  readonly stackName: string;
  readonly stackId: string;
  readonly region: string;
  readonly account: string;
  readonly partition: string;
  /** Folder of the cloud assembly that the template came from. */
  readonly assemblyDirectory: string;
  readonly clock: RehearsalClock;
}

/** A resource operation that failed, with the reason as CloudFormation would show it. */
export class ResourceFailure extends Error {}

/** A failed creation that left a resource with this physical id, which must be deleted. */
export class FailedCreate extends ResourceFailure {
  constructor(
    message: string,
    readonly physicalId: string,
  ) {
    super(message);
  }
}

/** Account and region of the rehearsal. */
export const REHEARSAL_ACCOUNT = '123456789012';
export const REHEARSAL_REGION = 'us-east-1';
