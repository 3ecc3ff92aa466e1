import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RehearsalClock } from '../../core/clock';
import { type FaultsPort, NO_FAULTS, ResponseLost } from '../../core/faults';
import { disconnectSignal } from '../../core/http';
import type { IamPort } from '../../core/ports';
import type { Credentials, Principal } from '../../core/principal';
import { type Call, ServiceError } from '../../core/service';
import { containerMetadata, taskMetadata } from './metadata';
import { clusterArn } from './model';
import type { Task } from './task';
import { type ContainerEndpoints, newToken } from './task-environment';

/** Prefix below which the API server serves the endpoints that are at 169.254.170.2 on AWS. */
export const AGENT_PREFIX = '/_ecs';

/** Lifetime of credentials in real milliseconds: the SDK refreshes them by the wall clock. */
const CREDENTIALS_MS = 6 * 3_600_000;

export interface Identity {
  readonly credentials: Credentials;
  readonly principal: Principal | undefined;
}

/** Answer of UpdateTaskProtection and GetTaskProtection for one task. */
export type ProtectionResult =
  | { readonly protection: { readonly enabled: boolean; readonly until: number | undefined } }
  | { readonly failure: { readonly reason: string; readonly detail: string | undefined } };

export interface AgentEndpointDeps {
  readonly clock: RehearsalClock;
  readonly iam: IamPort;
  readonly endpointUrl: () => string;
  readonly faults?: FaultsPort;
  /** Protects the task for `minutes`; 0 ends the protection. @throws ServiceError */
  readonly protect: (task: Task, minutes: number) => ProtectionResult;
}

interface ContainerRegistration {
  readonly task: Task;
  readonly container: string;
  readonly identity: Identity | undefined;
  readonly token: string;
}

/**
 * What ECS's agent serves to the containers of a task: its metadata, the credentials of its role, and the protection from
 * scale-in. Each container has addresses of its own, as it has on AWS.
 *
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection-endpoint.html
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate.html
 * @see https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
 */
export class AgentEndpoint {
  readonly #props: AgentEndpointDeps;
  /** By the id in a container's addresses. */
  readonly #registrations = new Map<string, ContainerRegistration>();

  constructor(props: AgentEndpointDeps) {
    this.#props = props;
  }

  /** Starts to serve the task. @returns the endpoints of each of its containers */
  open(task: Task, identity: Identity | undefined): (container: string) => ContainerEndpoints {
    return (container) => {
      const id = `${task.id}-${randomUUID().slice(0, 8)}`;
      const token = newToken();
      this.#registrations.set(id, { task, container, identity, token });
      const base = `${this.#props.endpointUrl()}${AGENT_PREFIX}`;
      return {
        agentUri: `${base}/api/${id}`,
        metadataUri: `${base}/v4/${id}`,
        credentials: identity === undefined ? undefined : { uri: `${base}/v2/credentials/${id}`, token },
      };
    };
  }

  close(task: Task): void {
    for (const [id, registration] of this.#registrations) {
      if (registration.task === task) {
        this.#registrations.delete(id);
      }
    }
  }

  /** Answers a request below {@link AGENT_PREFIX}. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').split('?', 1)[0]?.slice(AGENT_PREFIX.length) ?? '';
    const [, kind, id = '', rest = ''] = /^\/(api|v4|v2\/credentials)\/([^/]+)(\/.*)?$/.exec(path) ?? [];
    const registration = this.#registrations.get(id);
    const answer = (status: number, body: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (kind === 'api' && rest === '/task-protection/v1/state') {
      await this.#protection(registration, request, disconnectSignal(response), answer);
    } else if (registration === undefined) {
      answer(404, { error: 'no task at this address' });
    } else if (kind === 'v4' && rest === '') {
      answer(200, containerMetadata(registration.task, registration.container));
    } else if (kind === 'v4' && rest === '/task') {
      answer(200, taskMetadata(registration.task));
    } else if (kind === 'v2/credentials' && rest === '') {
      this.#credentials(registration, request, answer);
    } else {
      answer(404, { error: `not rehearsable: ${request.method} ${kind ?? ''}${rest} of the ECS agent` });
    }
  }

  #credentials(
    { identity, token, task }: ContainerRegistration,
    request: IncomingMessage,
    answer: RespondFunction,
  ): void {
    if (identity === undefined || request.headers.authorization !== token) {
      answer(400, { code: 'InvalidIdInRequest', message: 'CredentialsV2Request: Credentials not found' });
      return;
    }
    const { accessKeyId, secretAccessKey, sessionToken } = identity.credentials;
    answer(200, {
      RoleArn: task.props.definition.taskRoleArn,
      AccessKeyId: accessKeyId,
      SecretAccessKey: secretAccessKey,
      Token: sessionToken,
      Expiration: new Date(Date.now() + CREDENTIALS_MS).toISOString(),
    });
  }

  async #protection(
    registration: ContainerRegistration | undefined,
    request: IncomingMessage,
    signal: AbortSignal,
    answer: RespondFunction,
  ): Promise<void> {
    if (registration === undefined) {
      answer(404, {
        error: { Code: 'ResourceNotFoundException', Message: 'Failed to find a task for the request' },
      });
      return;
    }
    const { task } = registration;
    const fail = (status: number, code: string, message: string, requestID?: string) =>
      answer(status, {
        requestID,
        error: { Arn: task.arn, Code: code, Message: message },
      });
    let minutes: number | undefined;
    if (request.method === 'PUT') {
      const wanted = parseProtectionRequest(await readText(request));
      if (typeof wanted === 'string') {
        fail(400, 'InvalidParameterException', wanted);
        return;
      }
      minutes = wanted.enabled ? (wanted.minutes ?? DEFAULT_MINUTES) : 0;
    } else if (request.method !== 'GET') {
      answer(405, { error: { Code: 'InvalidParameterException', Message: `${request.method} is not allowed` } });
      return;
    }
    const principal = registration.identity?.principal;
    if (principal === undefined) {
      fail(403, 'AccessDeniedException', 'Invalid Request: no task IAM role credentials available for task');
      return;
    }
    try {
      answer(200, protectionBody(task, await this.#call(task, principal, minutes, signal)));
    } catch (error) {
      if (error instanceof ResponseLost) {
        request.socket.destroy();
      } else if (error instanceof ServiceError) {
        fail(error.status, error.code, error.message, randomUUID());
      } else {
        throw error;
      }
    }
  }

  /** The call that the agent makes with the task's credentials. */
  #call(task: Task, principal: Principal, minutes: number | undefined, signal: AbortSignal): Promise<ProtectionResult> {
    const { iam, faults = NO_FAULTS, protect } = this.#props;
    const { cluster } = task.props;
    const operation = minutes === undefined ? 'GetTaskProtection' : 'UpdateTaskProtection';
    const call: Call = {
      operation,
      input: {
        cluster,
        tasks: [task.arn],
        ...(minutes === undefined ? {} : { protectionEnabled: minutes > 0, expiresInMinutes: minutes }),
      },
      principal,
      signal,
      headers: {},
    };
    const decision = iam.decide(principal, {
      action: `ecs:${operation}`,
      resource: task.arn,
      conditions: { 'ecs:cluster': [clusterArn(cluster)] },
    });
    if (!decision.allowed) {
      throw new ServiceError('AccessDeniedException', decision.reason, 400);
    }
    return faults.aroundCall('ecs', call, async () => {
      if (minutes !== undefined) {
        return protect(task, minutes);
      }
      return { protection: { enabled: task.isProtected, until: task.protectedUntil } };
    });
  }
}

type RespondFunction = (status: number, body: unknown) => void;

/** https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateTaskProtection.html */
const DEFAULT_MINUTES = 120;
const MAX_MINUTES = 2_880;

/** The request of a PUT, or the error message. */
function parseProtectionRequest(
  body: string,
): { readonly enabled: boolean; readonly minutes: number | undefined } | string {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    value = undefined;
  }
  if (typeof value !== 'object' || value === null) {
    return 'UpdateTaskProtection: failed to decode request';
  }
  const { ProtectionEnabled: enabled, ExpiresInMinutes: minutes, ...others } = value as Record<string, unknown>;
  if (Object.keys(others).length > 0 || (enabled !== undefined && typeof enabled !== 'boolean')) {
    return 'UpdateTaskProtection: failed to decode request';
  }
  if (enabled === undefined) {
    return "Invalid request: does not contain 'ProtectionEnabled' field";
  }
  if (minutes === undefined) {
    return { enabled, minutes: undefined };
  }
  if (typeof minutes !== 'number' || !Number.isInteger(minutes)) {
    return 'UpdateTaskProtection: failed to decode request';
  }
  return minutes >= 1 && minutes <= MAX_MINUTES
    ? { enabled, minutes }
    : `expiresInMinutes: got ${minutes}, expected 1 to ${MAX_MINUTES}`;
}

function protectionBody(task: Task, answer: ProtectionResult): unknown {
  if ('failure' in answer) {
    return { failure: { Arn: task.arn, Detail: answer.failure.detail ?? null, Reason: answer.failure.reason } };
  }
  const { enabled, until } = answer.protection;
  return {
    protection: {
      ExpirationDate: until === undefined ? null : new Date(until).toISOString(),
      ProtectionEnabled: enabled,
      TaskArn: task.arn,
    },
  };
}

async function readText(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request as AsyncIterable<Buffer>) {
    text += chunk.toString('utf8');
  }
  return text;
}
