/** The app of the repository's drills; see README.md. */
import { App } from 'aws-cdk-lib';
import { ChaosStack } from './chaos-stack';
import { DrillStack } from './drill-stack';
import { FailoverStack } from './failover-stack';
import { FargateStack } from './fargate-stack';
import { FlagStack } from './flag-stack';
import { LimitStack } from './limit-stack';
import { RotationStack } from './rotation-stack';

const app = new App();
const variant = String(app.node.tryGetContext('variant') ?? 'good');
const requestsPerMinute = app.node.tryGetContext('requestsPerMinute');
const agentPerDay = app.node.tryGetContext('agentPerDay');
const maxLines = app.node.tryGetContext('maxLines');
const carefulPercent = app.node.tryGetContext('carefulPercent');
const fargate: unknown = app.node.tryGetContext('fargate');
/** A number from the context; nothing without. */
function given<Name extends string>(name: Name): { [key in Name]?: number } {
  const value: unknown = app.node.tryGetContext(name);
  return (value === undefined ? {} : { [name]: Number(value) }) as { [key in Name]?: number };
}
if (fargate === 'gates' || fargate === 'work') {
  new FargateStack(app, 'FargateAgent', {
    variant,
    drill: fargate,
    ...given('concurrency'),
    ...given('max'),
    ...given('min'),
    ...given('stopSeconds'),
    ...given('timeoutSeconds'),
  });
} else if (carefulPercent !== undefined) {
  new FlagStack(app, 'FlagAgent', { variant, carefulPercent: Number(carefulPercent) });
} else if (requestsPerMinute !== undefined || agentPerDay !== undefined) {
  new LimitStack(app, 'LimitAgent', {
    variant,
    ...(requestsPerMinute === undefined ? {} : { requestsPerMinute: Number(requestsPerMinute) }),
    ...(agentPerDay === undefined ? {} : { agentPerDay: Number(agentPerDay) }),
  });
} else if (app.node.tryGetContext('failover') !== undefined) {
  new FailoverStack(app, 'FailoverAgent', { variant });
} else if (app.node.tryGetContext('rotation') !== undefined) {
  new RotationStack(app, 'RotationAgent', { variant });
} else if (app.node.tryGetContext('chaos') === undefined) {
  new DrillStack(app, 'DrillAgent', {
    variant,
    ...(maxLines === undefined ? {} : { maxLines: String(maxLines) }),
  });
} else {
  new ChaosStack(app, 'ChaosAgent', { variant });
}
