/** The support agent on Fargate; see README.md. */
import { App } from 'aws-cdk-lib';
import { FargateAgentStack } from './fargate-agent-stack';

const app = new App();
const behavior: unknown = app.node.tryGetContext('behavior');
new FargateAgentStack(app, 'FargateAgent', typeof behavior === 'string' ? { behavior } : {});
