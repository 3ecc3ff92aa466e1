import type { RehearsalClock } from '../../core/clock';
import type { IamPort, SnsPort } from '../../core/ports';
import type { ResourceHandler } from '../../core/resource';
import type { RehearsalService } from '../../core/service';
import { type PublishedMessage, Topics } from './model';
import { snsOperations } from './operations';
import { subscriptionHandler, topicHandler, topicPolicyHandler } from './resources';

export type { PublishedMessage } from './model';

export interface SnsDeps {
  readonly clock: RehearsalClock;
  readonly iam: IamPort;
}

export interface Sns extends SnsPort {
  readonly service: RehearsalService;
  readonly handlers: readonly ResourceHandler[];
  /** Everything published so far, oldest first. */
  messages(topicArn?: string): readonly PublishedMessage[];
}

/** SNS: topics, subscriptions, topic policies, Publish. */
export function createSns({ clock, iam }: SnsDeps): Sns {
  const topics = new Topics(clock, iam);
  return {
    service: snsOperations(topics),
    handlers: [topicHandler(topics), subscriptionHandler(topics), topicPolicyHandler(topics)],
    messages: (topicArn) => topics.messages(topicArn),
    publish: (topicArn, subject, message, invoker) => {
      if (invoker !== undefined) {
        topics.checkPublish(topicArn, invoker);
      }
      topics.publish(topicArn, subject, message);
    },
  };
}
