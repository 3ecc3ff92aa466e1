import type { Scenario } from './scenario';

/** What `rehearse` does without a scenario: the app is deployed as it is, probed, and destroyed. */
export const BUILT_IN_SCENARIO: Scenario = {
  name: 'deploy, probe, destroy',
  secrets: [{ name: '*', value: 'rehearsal' }],
  releases: [{ name: 'as-it-is', expected: 'promoted' }],
};

/** Said at the end of such a run. */
export const NEXT_STEPS = `This deployed the app as it is, sent a probe through it, and destroyed it. To rehearse rollouts, write a scenario:

  rehearsal.json
  {
    "$schema": "./node_modules/cdk-agent-lanes/rehearsal/scenario.schema.json",
    "name": "first rollouts",
    "traffic": { "users": 100, "tasks": 500, "ratePerSecond": 20, "inputs": [{ "question": "Hello" }] },
    "provider": { "rules": [{ "name": "all", "answer": { "text": "Hello!" } }] },
    "secrets": [{ "name": "*", "value": "any" }],
    "releases": [
      { "name": "today", "expected": "promoted" },
      { "name": "next", "context": { "behavior": "next" }, "expected": "promoted" }
    ]
  }

and run the same command again. Each release is the app with another context; "inputs" and the provider's answers must
fit the agent. All fields are described in the JSON schema.`;
