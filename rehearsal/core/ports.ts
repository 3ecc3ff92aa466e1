/**
 * Interfaces through which the rehearsal's services call each other in process. A service depends on these and never on another
 * service's class, so that each can be tested alone.
 */
import type { Credentials, Principal } from './principal';
import type { RequiredPermission } from './service';

export interface Decision {
  readonly allowed: boolean;
  /** Statement or lack of one that decided, for the report. */
  readonly reason: string;
}

export interface DeniedCall {
  readonly principal: string;
  readonly action: string;
  readonly resource: string;
  readonly reason: string;
}

export interface IamPort {
  /**
   * Credentials with which a function (label) acts as the role; the API server recognizes them by the access key. With
   * `service` (`lambda.amazonaws.com`) the role's trust policy is checked: throws if it does not allow the service. Each
   * `session` under a label has credentials of its own.
   */
  sessionFor(roleArn: string, label: string, service?: string, session?: string): Credentials;
  principalOf(accessKeyId: string): Principal | undefined;
  /** Decides by the identity and resource policies of the template, and counts the call. */
  decide(principal: Principal, permission: RequiredPermission): Decision;
  /** Resource policies are held by IAM on behalf of the services: `resourceArn` → policy document. */
  attachResourcePolicy(resourceArn: string, id: string, document: unknown): void;
  detachResourcePolicy(resourceArn: string, id: string): void;
  statistics(): { readonly calls: number; readonly denied: readonly DeniedCall[] };
}

export interface LogsPort {
  /** One line as a function wrote it to stdout or stderr. */
  write(logGroup: string, stream: string, line: string): void;
}

export type MetricDimensions = Readonly<Record<string, string>>;

export interface MetricsPort {
  put(namespace: string, name: string, dimensions: MetricDimensions, values: readonly number[], unit?: string): void;
  /** Reads the metrics of a log line in the embedded metric format; other lines are ignored. */
  ingestLogLine(line: string): void;
  /** By name or ARN. */
  alarm(nameOrArn: string): AlarmView | undefined;
  alarms(): readonly AlarmView[];
}

export interface AlarmView {
  readonly name: string;
  readonly arn: string;
  readonly state: 'OK' | 'ALARM' | 'INSUFFICIENT_DATA';
  readonly reason: string;
  readonly threshold: number | undefined;
  /** Last value that it was evaluated with. */
  readonly value: number | undefined;
  /** Whether its metrics ever had a data point. */
  readonly hadData: boolean;
  /** Dimensions of its metrics without a data point. */
  readonly metricsWithoutData?: readonly MetricDimensions[];
}

export interface InvokeRequest {
  /** Name or ARN, qualified or not. */
  readonly function: string;
  readonly qualifier?: string;
  /** JSON text. */
  readonly payload: string;
  /** `Event` queues the invocation and retries twice, as Lambda does. */
  readonly type: 'RequestResponse' | 'Event';
  /** Service principal that invokes, checked against the function's resource policy; absent: not checked. */
  readonly invoker?: { readonly service: string; readonly sourceArn?: string };
  readonly traceHeader?: string;
}

export interface InvokeResult {
  readonly status: number;
  readonly payload: string;
  /** Set when the function failed: `Unhandled`. */
  readonly functionError?: string;
  readonly executedVersion: string;
}

export interface AliasView {
  readonly functionName: string;
  readonly name: string;
  readonly version: string;
  /** Version → weight, while a shift is in progress. */
  readonly weights: Readonly<Record<string, number>>;
}

export interface LambdaPort {
  invoke(request: InvokeRequest): Promise<InvokeResult>;
  getAlias(functionName: string, name: string): AliasView | undefined;
  putAlias(alias: AliasView): { readonly arn: string };
  deleteAlias(functionName: string, name: string): void;
}

export interface ReceivedMessage {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly messageAttributes: Readonly<Record<string, unknown>>;
  readonly md5OfBody: string;
}

export interface SqsPort {
  exists(queueArn: string): boolean;
  /** Long poll. Messages stay invisible until deleted or released: what an event source mapping relies on. */
  receiveInFlight(queueArn: string, max: number, signal: AbortSignal): Promise<readonly ReceivedMessage[]>;
  /** Ends the hold; the message becomes visible when its visibility timeout, counted in cloud time from now, is over. */
  release(queueArn: string, receiptHandle: string): void;
  delete(queueArn: string, receiptHandle: string): void;
  send(queueArn: string, body: string, options?: { readonly groupId?: string; readonly traceHeader?: string }): string;
}

export interface ScalingPort {
  /** Whether an alarm action of this ARN is a scaling policy. */
  owns(actionArn: string): boolean;
  /**
   * An alarm invokes a policy with the value that it was evaluated with.
   * @throws Error when there is no such policy
   */
  invoke(
    policyArn: string,
    value: { readonly alarm: string; readonly value: number; readonly threshold: number },
  ): void;
}

export interface SnsPort {
  /**
   * With `invoker` the topic's policy is checked: throws `ServiceError` AuthorizationError if it does not allow the service
   * to publish.
   */
  publish(
    topicArn: string,
    subject: string,
    message: string,
    invoker?: { readonly service: string; readonly sourceArn?: string },
  ): void;
}
