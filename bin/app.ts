/**
 * The example deployment: one support agent in one stack.
 *
 *     npx cdk deploy                          # as it is in examples/support-agent/agent
 *     npx cdk deploy -c behavior=NAME         # with the behavior in examples/support-agent/NAME
 */
import { App } from 'aws-cdk-lib';
import { SupportStack } from '../examples/support-agent/support-stack';

const app = new App();
const behavior: unknown = app.node.tryGetContext('behavior');
new SupportStack(app, 'SupportAgent', typeof behavior === 'string' ? { behavior } : {});
