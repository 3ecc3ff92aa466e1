import { randomUUID } from 'node:crypto';
import type { RehearsalClock } from '../../core/clock';
import type { IamPort, SnsPort } from '../../core/ports';
import type { Principal } from '../../core/principal';
import { REHEARSAL_ACCOUNT } from '../../core/resource';
import { ServiceError } from '../../core/service';

export interface PublishedMessage {
  readonly messageId: string;
  readonly topicArn: string;
  readonly subject: string | undefined;
  readonly message: string;
  /** Cloud time. */
  readonly publishedAt: number;
}

/** Topics, with the messages that were published to them. Messages are kept for inspection, not delivered. */
export class Topics {
  readonly #clock: RehearsalClock;
  readonly #iam: IamPort;
  readonly #arns = new Set<string>();
  readonly #published: PublishedMessage[] = [];

  constructor(clock: RehearsalClock, iam: IamPort) {
    this.#clock = clock;
    this.#iam = iam;
  }

  has(topicArn: string): boolean {
    return this.#arns.has(topicArn);
  }

  add(topicArn: string): void {
    this.#arns.add(topicArn);
    this.#attachDefaultPolicy(topicArn);
  }

  delete(topicArn: string): void {
    this.#arns.delete(topicArn);
    this.#iam.detachResourcePolicy(topicArn, DEFAULT_POLICY);
  }

  /** Oldest first. */
  messages(topicArn?: string): readonly PublishedMessage[] {
    return this.#published.filter((message) => topicArn === undefined || message.topicArn === topicArn);
  }

  /**
   * Keeps a message.
   * @returns its id
   * @throws ServiceError NotFound
   */
  publish(topicArn: string, subject: string | undefined, message: string): string {
    if (!this.#arns.has(topicArn)) throw new ServiceError('NotFound', 'Topic does not exist', 404);
    const messageId = randomUUID();
    this.#published.push({ messageId, topicArn, subject, message, publishedAt: this.#clock.now() });
    return messageId;
  }

  /** @throws ServiceError AuthorizationError when the policy of the topic does not allow the service to publish */
  checkPublish(topicArn: string, invoker: NonNullable<Parameters<SnsPort['publish']>[3]>): void {
    const principal: Principal = { kind: 'service', arn: invoker.service, label: invoker.service };
    const decision = this.#iam.decide(principal, {
      action: 'sns:Publish',
      resource: topicArn,
      conditions: {
        'aws:SourceAccount': [REHEARSAL_ACCOUNT],
        'aws:SourceOwner': [REHEARSAL_ACCOUNT],
        ...(invoker.sourceArn === undefined ? {} : { 'aws:SourceArn': [invoker.sourceArn] }),
      },
    });
    if (!decision.allowed) throw new ServiceError('AuthorizationError', decision.reason, 403);
  }

  /** An own policy replaces the default one, which then no longer allows services of the account to publish. */
  attachPolicy(topicArn: string, id: string, document: unknown): void {
    this.#iam.attachResourcePolicy(topicArn, id, document);
    this.#iam.detachResourcePolicy(topicArn, DEFAULT_POLICY);
  }

  detachPolicy(topicArn: string, id: string): void {
    this.#iam.detachResourcePolicy(topicArn, id);
    this.#attachDefaultPolicy(topicArn);
  }

  /**
   * The policy of a topic without an own one.
   * https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
   */
  #attachDefaultPolicy(topicArn: string): void {
    this.#iam.attachResourcePolicy(topicArn, DEFAULT_POLICY, {
      Version: '2008-10-17',
      Statement: {
        Sid: '__default_statement_ID',
        Effect: 'Allow',
        Principal: { AWS: '*' },
        Action: ['sns:Publish'],
        Resource: topicArn,
        Condition: { StringEquals: { 'AWS:SourceOwner': REHEARSAL_ACCOUNT } },
      },
    });
  }
}

const DEFAULT_POLICY = 'default topic policy';
