/** The app of the repository's drills; see README.md. */
import { App } from 'aws-cdk-lib';
import { DrillStack } from './drill-stack';

const app = new App();
new DrillStack(app, 'DrillAgent', { variant: String(app.node.tryGetContext('variant') ?? 'good') });
