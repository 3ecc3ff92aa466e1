/** The peer's worker: the same agent behind the same handler, so that both sides bundle the same code. */
import { createHandler } from 'cdk-agent-lanes/worker';
import agent from '../../examples/support-agent/agent/agent';

export const handler = createHandler(agent);
