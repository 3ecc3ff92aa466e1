/** Custom resource `Custom::AgentLanesRolloutCheck`: stands between the router's shift and the stable lane. */
import { Env, rolloutCheckPropertiesSchema } from '../../../lib/contract';
import { lambdaClient } from '../../shared/aws/clients/lambda';
import {
  answerCustomResource,
  type CustomResourceEvent,
  type CustomResourceOutcome,
  propertiesOf,
} from '../../shared/aws/custom-resource';
import type { InvocationContext } from '../../shared/aws/invocation-deadline';
import { systemClock } from '../../shared/clock';
import { lazy } from '../../shared/lazy';
import { readAlias } from '../../shared/routing/alias';
import { createLogger } from '../../shared/telemetry/logger';
import { checkRollout } from './rollout-check';
import { isStackRollback } from './stack-rollback';

const lambda = lazy(lambdaClient);

export async function handler(event: unknown, context: InvocationContext): Promise<void> {
  const agent = process.env[Env.AGENT] ?? 'unknown';
  const clock = systemClock();
  const logger = createLogger({ component: 'rollout-check', agent }, clock);
  const physicalId = (request: CustomResourceEvent) => request.PhysicalResourceId ?? `${agent}-rollout-check`;
  const handle = async (request: CustomResourceEvent, signal: AbortSignal): Promise<CustomResourceOutcome> => {
    if (request.RequestType === 'Delete') {
      return { physicalId: physicalId(request) };
    }
    if (isStackRollback(request)) {
      logger.info('stack rollback: nothing to wait for');
      return { physicalId: physicalId(request) };
    }
    const properties = propertiesOf(request, rolloutCheckPropertiesSchema);
    await checkRollout(properties, { readAlias: (name) => readAlias(lambda(), name), clock }, signal);
    return { physicalId: physicalId(request), data: { RouterVersion: properties.RouterVersion } };
  };
  await answerCustomResource(event, context, { physicalId, handle, logger, clock });
}
