import type { Scenario } from './scenario';

/** Scenario of `rehearse` without a scenario file: deploys the unchanged app, sends a probe, and destroys the stack. */
export const BUILT_IN_SCENARIO: Scenario = {
  name: 'deploy, probe, destroy',
  secrets: [{ name: '*', value: 'rehearsal' }],
  releases: [{ name: 'unchanged', expected: 'promoted' }],
};

/** Printed at the end of such a run. */
export const NEXT_STEPS = `This run deployed the unchanged app, sent a probe task, and destroyed the stack. To rehearse rollouts, write a scenario:

  rehearsal.json
  {
    "$schema": "./node_modules/cdk-agent-lanes-cli/dist/scenario.schema.json",
    "name": "first rollouts",
    "traffic": { "users": 100, "tasks": 500, "ratePerSecond": 20, "inputs": [{ "question": "Hello" }] },
    "provider": { "rules": [{ "name": "all", "answer": { "text": "Hello!" } }] },
    "secrets": [{ "name": "*", "value": "any" }],
    "releases": [
      { "name": "today", "expected": "promoted" },
      { "name": "next", "context": { "behavior": "next" }, "expected": "promoted" }
    ]
  }

Then run the same command again. Each release is the app with another context. "inputs" and the provider's answers must
fit the agent. The JSON schema describes all fields.`;
