/** The app of the repository's drills; see README.md. */
import { App } from 'aws-cdk-lib';
import { ChaosStack } from './chaos-stack';
import { DrillStack } from './drill-stack';

const app = new App();
const variant = String(app.node.tryGetContext('variant') ?? 'good');
if (app.node.tryGetContext('chaos') === undefined) {
  new DrillStack(app, 'DrillAgent', { variant });
} else {
  new ChaosStack(app, 'ChaosAgent', { variant });
}
