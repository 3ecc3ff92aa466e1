import { OPERATOR_CREDENTIALS } from '../../../../../rehearsal/core/principal';
import { type HttpStub, type StubAnswer, type StubRequest, startStub } from '../../../worker/support/http-stub';

const PROTECTION = '/task-protection/v1/state';
const CREDENTIALS = '/credentials';

/** What ECS offers to a task: credentials, and protection. */
export class EcsAgent {
  /** What is answered to a change of protection. */
  answer: (request: StubRequest) => StubAnswer | Promise<StubAnswer> = ({ body }) => granted(body);
  /** Changes that were granted: what was asked for, in order. */
  readonly changes: boolean[] = [];

  readonly #stub: HttpStub;

  private constructor(stub: HttpStub) {
    this.#stub = stub;
  }

  static async start(): Promise<EcsAgent> {
    const made: { agent?: EcsAgent } = {};
    const stub = await startStub(async (request) => {
      if (request.path === CREDENTIALS) {
        return {
          body: {
            AccessKeyId: OPERATOR_CREDENTIALS.accessKeyId,
            SecretAccessKey: OPERATOR_CREDENTIALS.secretAccessKey,
            Token: OPERATOR_CREDENTIALS.sessionToken,
            Expiration: new Date(Date.now() + 3_600_000).toISOString(),
          },
        };
      }
      if (request.path !== PROTECTION || request.method !== 'PUT' || made.agent === undefined) {
        return { status: 404, body: {} };
      }
      const answer = await made.agent.answer(request);
      if (answer !== 'hang' && typeof answer.body === 'object' && answer.body !== null && 'protection' in answer.body) {
        made.agent.changes.push((request.body as { ProtectionEnabled: boolean }).ProtectionEnabled);
      }
      return answer;
    });
    const agent = new EcsAgent(stub);
    made.agent = agent;
    return agent;
  }

  get uri(): string {
    return this.#stub.endpoint;
  }

  get requests(): readonly StubRequest[] {
    return this.#stub.requests.filter(({ path }) => path === PROTECTION);
  }

  /** Forgets what was asked. */
  forget(): void {
    this.#stub.requests.length = 0;
  }

  /** Whether the task is protected, after all that was granted. */
  get isProtected(): boolean {
    return this.changes.at(-1) === true;
  }

  /** Calls of the endpoint for credentials. */
  get credentialCalls(): number {
    return this.#stub.requests.filter(({ path }) => path === CREDENTIALS).length;
  }

  /** What ECS gives to the containers of a task. */
  environment(): Record<string, string> {
    return {
      ECS_AGENT_URI: this.uri,
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${this.uri}${CREDENTIALS}`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN: 'authorization',
    };
  }

  close(): Promise<void> {
    return this.#stub.close();
  }
}

function granted(body: unknown): StubAnswer {
  const { ProtectionEnabled } = body as { readonly ProtectionEnabled: boolean };
  return { body: { protection: { ProtectionEnabled, TaskArn: 'arn:aws:ecs:us-east-1:123456789012:task/c/1' } } };
}

/** As ECS refuses to protect a task. */
export function refused(reason: string): StubAnswer {
  return { status: 409, body: { failure: { Arn: 'arn', Reason: reason, Detail: null } } };
}
