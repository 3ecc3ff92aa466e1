/** The Python agent in one stack: `npx cdk deploy --app "npx tsx examples/python-agent/app.ts"`. */
import { App } from 'aws-cdk-lib';
import { PythonAgentStack } from './python-agent-stack';

const app = new App();
const readSeconds: unknown = app.node.tryGetContext('readSeconds');
new PythonAgentStack(app, 'PythonAgent', readSeconds === undefined ? {} : { readSeconds: Number(readSeconds) });
