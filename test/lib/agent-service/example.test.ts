import { SupportStack } from '../../../examples/support-agent/support-stack';
import { testApp } from '../../support/stack';

const release = (behavior?: string) =>
  new SupportStack(testApp(), 'SupportAgent', behavior === undefined ? {} : { behavior }).agent.release.releaseId;

describe('the example deployment', () => {
  test('deploys another release for each behavior folder, with the same code', () => {
    const ids = [release(), release('agent-regressed'), release('agent-improved')];
    expect(new Set(ids).size).toBe(3);
    expect(release('agent')).toBe(ids[0]);
  });

  test.each(['nowhere', '../support-agent/agent', 'agent/prompts', ''])("refuses the behavior '%s'", (behavior) => {
    expect(() => release(behavior)).toThrow(
      /context 'behavior' is '.*', expected the name of a folder in .*support-agent/,
    );
  });
});
