import { chooseAgentStack } from '../../../../rehearsal/drill/scenario/agent-stack';
import { findAgent } from '../../../../rehearsal/drill/scenario/agent-under-test';

const lane = (name: string) => ({ high: `${name}/high`, normal: `${name}/normal`, low: `${name}/low` });
const queues = { stable: lane('stable'), candidate: lane('candidate') };
const router = {
  type: 'AWS::Lambda::Function',
  properties: {
    Environment: { Variables: { AGENT_LANES_QUEUES: JSON.stringify(queues), AGENT_LANES_AUTH: 'iam', OTHER: 'x' } },
  },
};
const outputs = (path: string) => ({
  [`${path}AgentName0A1B2C3D`]: 'support',
  [`${path}ReleaseId0A1B2C3D`]: 'r-000000000001',
  [`${path}Endpoint0A1B2C3D`]: 'http://127.0.0.1/x',
  [`${path}TasksTable0A1B2C3D`]: 'tasks',
  [`${path}ControlTable0A1B2C3D`]: 'control',
});

describe('findAgent', () => {
  test('reads the outputs of the agent among other outputs', () => {
    const others = { BackendEndpoint12345678: 'http://other', ProviderKeyArn: 'arn' };
    expect(findAgent('Stack', { ...others, ...outputs('Support') }, [router])).toEqual({
      name: 'support',
      release: 'r-000000000001',
      endpoint: 'http://127.0.0.1/x',
      tasksTable: 'tasks',
      controlTable: 'control',
      queues,
    });
  });

  test('rejects a stack without an agent, with two agents, and without a router', () => {
    expect(() => findAgent('Stack', { Url: 'x' }, [router])).toThrow(
      'the outputs of 0 agents (Url), expected exactly one',
    );
    expect(() => findAgent('Stack', { ...outputs('A'), ...outputs('B') }, [router])).toThrow('the outputs of 2 agents');
    expect(() => findAgent('Stack', outputs('A'), [])).toThrow('no router function');
  });
});

describe('chooseAgentStack', () => {
  const agent = (stackName: string) => ({ stackName, releases: ['r-000000000001'] });
  const plain = { stackName: 'Network', releases: [] };

  test('selects the only stack with an agent, or the named one', () => {
    expect(chooseAgentStack([plain, agent('Support')], undefined).stackName).toBe('Support');
    expect(chooseAgentStack([agent('Sales'), agent('Support')], 'Sales').stackName).toBe('Sales');
  });

  test('rejects several stacks without a name, no stack, and an unknown name', () => {
    expect(() => chooseAgentStack([agent('Sales'), agent('Support')], undefined)).toThrow(
      'several stacks have an AgentService (Sales, Support): select one with "stack" in the scenario',
    );
    expect(() => chooseAgentStack([plain], undefined)).toThrow('no stack of the app (Network) has an AgentService');
    expect(() => chooseAgentStack([plain], 'Other')).toThrow('stack Other is not in the app: expected one of Network');
    expect(() => chooseAgentStack([{ stackName: 'Two', releases: ['a', 'b'] }], undefined)).toThrow('Two has 2 agents');
  });
});
