import { Duration } from 'aws-cdk-lib';
import { TrafficShift } from '../../../lib';
import { testStack } from '../../support/stack';
import { resourcesOf } from '../../support/template';

function bind(shift: TrafficShift) {
  const stack = testStack();
  const { deploymentConfig, duration } = shift._bind(stack);
  // A stack without resources cannot be synthesized.
  const made =
    stack.node.children.length === 0 ? [] : Object.values(resourcesOf(stack)).map(({ Properties }) => Properties);
  return { name: deploymentConfig.deploymentConfigName, minutes: duration.toMinutes(), made };
}

const canary = (percent: number, minutes: number) =>
  TrafficShift.canary({ percentage: percent, bakeTime: Duration.minutes(minutes) });
const linear = (percent: number, minutes: number) =>
  TrafficShift.linear({ percentage: percent, interval: Duration.minutes(minutes) });

describe('predefined configurations', () => {
  test.each([
    [canary(10, 5), 'CodeDeployDefault.LambdaCanary10Percent5Minutes', 5],
    [canary(10, 10), 'CodeDeployDefault.LambdaCanary10Percent10Minutes', 10],
    [canary(10, 15), 'CodeDeployDefault.LambdaCanary10Percent15Minutes', 15],
    [canary(10, 30), 'CodeDeployDefault.LambdaCanary10Percent30Minutes', 30],
    [linear(10, 1), 'CodeDeployDefault.LambdaLinear10PercentEvery1Minute', 9],
    [linear(10, 2), 'CodeDeployDefault.LambdaLinear10PercentEvery2Minutes', 18],
    [linear(10, 3), 'CodeDeployDefault.LambdaLinear10PercentEvery3Minutes', 27],
    [linear(10, 10), 'CodeDeployDefault.LambdaLinear10PercentEvery10Minutes', 90],
    [TrafficShift.allAtOnce(), 'CodeDeployDefault.LambdaAllAtOnce', 0],
  ])('are taken where they match (%#)', (shift, name, minutes) => {
    expect(bind(shift)).toEqual({ name, minutes, made: [] });
  });
});

describe('configurations of an agent of its own', () => {
  test('canary', () => {
    expect(bind(canary(5, 20))).toMatchObject({
      minutes: 20,
      made: [
        {
          ComputePlatform: 'Lambda',
          TrafficRoutingConfig: {
            Type: 'TimeBasedCanary',
            TimeBasedCanary: { CanaryPercentage: 5, CanaryInterval: 20 },
          },
        },
      ],
    });
  });

  test('linear: 30 % every 4 minutes is done after three intervals', () => {
    expect(bind(linear(30, 4))).toMatchObject({
      minutes: 12,
      made: [
        {
          TrafficRoutingConfig: {
            Type: 'TimeBasedLinear',
            TimeBasedLinear: { LinearPercentage: 30, LinearInterval: 4 },
          },
        },
      ],
    });
  });
});

describe('what CodeDeploy would refuse', () => {
  test.each([0, 100, 12.5, -1, Number.NaN])('refuses %p percent, naming the limit and its source', (percent) => {
    for (const shift of [canary(percent, 10), linear(percent, 10)]) {
      expect(() => bind(shift)).toThrow(
        /InvalidShiftPercentage: (canary|linear): percentage must be an integer between 1 and 99, got \S+ \(CodeDeploy: .*https:\/\/docs\.aws\.amazon\.com/,
      );
    }
  });

  test.each([Duration.seconds(90), Duration.seconds(0)])(
    'refuses intervals other than whole minutes (%#)',
    (interval) => {
      expect(() => bind(TrafficShift.canary({ percentage: 10, bakeTime: interval }))).toThrow(
        /canary: bakeTime must be whole minutes, at least 1, got \d+ s/,
      );
      expect(() => bind(TrafficShift.linear({ percentage: 10, interval }))).toThrow(
        /linear: interval must be whole minutes, at least 1, got \d+ s/,
      );
    },
  );
});
