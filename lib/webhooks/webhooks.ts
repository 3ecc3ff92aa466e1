import { Duration } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { describeValue, laneError } from '../common';
import { WebhookDelivery } from './webhook-delivery';
import type { SignedWebhooksOptions, WebhookContext } from './webhook-options';

/** How callers are told that their tasks have ended. */
export abstract class Webhooks {
  /** One HTTPS request for each end of a task, signed as https://www.standardwebhooks.com says, at least once. */
  static signed(options: SignedWebhooksOptions = {}): Webhooks {
    return new SignedWebhooks(options);
  }

  /** Creates what delivers. @internal */
  abstract _bind(scope: Construct, id: string, context: WebhookContext): WebhookDelivery;
}

/** A day less than queues keep messages, so that every webhook is given up before it is forgotten. */
const MAX_RETRY = Duration.days(13);
const MIN_RETRY = Duration.minutes(1);

class SignedWebhooks extends Webhooks {
  constructor(private readonly options: SignedWebhooksOptions) {
    super();
  }

  /** @internal */
  _bind(scope: Construct, id: string, context: WebhookContext): WebhookDelivery {
    const { privateHosts = [], retryFor = Duration.hours(24), ...others } = this.options;
    const seconds = retryFor.isUnresolved() ? Number.NaN : retryFor.toMilliseconds() / 1_000;
    if (!(Number.isInteger(seconds) && seconds >= MIN_RETRY.toSeconds() && seconds <= MAX_RETRY.toSeconds())) {
      throw laneError(
        scope,
        'InvalidWebhookRetry',
        `webhooks: retryFor must be whole seconds between ${describeValue(MIN_RETRY)} and ${describeValue(MAX_RETRY)}, got ${describeValue(retryFor)}; queues keep messages for 14 days`,
      );
    }
    for (const host of privateHosts) {
      if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(host)) {
        throw laneError(
          scope,
          'InvalidPrivateHost',
          `webhooks: private host is '${host}', expected a host name or IPv4 address without scheme, port and path, like 'hooks.internal.example.com'`,
        );
      }
    }
    if (others.vpc === undefined && (others.vpcSubnets !== undefined || others.securityGroups !== undefined)) {
      throw laneError(
        scope,
        'MissingWebhookVpc',
        'webhooks: vpcSubnets or securityGroups are given without vpc, expected vpc as well; give it, or leave them out',
      );
    }
    return new WebhookDelivery(scope, id, { ...others, ...context, privateHosts: [...privateHosts], retryFor });
  }
}
