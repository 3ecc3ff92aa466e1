import { Duration } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { describeValue, laneError } from '../common';
import { WebhookDelivery } from './webhook-delivery';
import type { SignedWebhooksOptions, WebhookContext } from './webhook-options';

/** How callers are notified that their tasks have ended. */
export abstract class Webhooks {
  /** One HTTPS request per ended task, delivered at least once, signed as https://www.standardwebhooks.com specifies. */
  static signed(options: SignedWebhooksOptions = {}): Webhooks {
    return new SignedWebhooks(options);
  }

  /** Creates the queue and the function. @internal */
  abstract _bind(scope: Construct, id: string, context: WebhookContext): WebhookDelivery;
}

/** A day less than the retention of the queue, so that each webhook is abandoned before its message expires. */
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
          `webhooks: each of privateHosts must be a host name or IPv4 address without scheme, port and path, like 'hooks.internal.example.com', got '${host}'`,
        );
      }
    }
    if (others.vpc === undefined && (others.vpcSubnets !== undefined || others.securityGroups !== undefined)) {
      throw laneError(
        scope,
        'MissingWebhookVpc',
        'webhooks: vpcSubnets or securityGroups is set, but vpc is not; set vpc, or remove them',
      );
    }
    return new WebhookDelivery(scope, id, { ...others, ...context, privateHosts: [...privateHosts], retryFor });
  }
}
