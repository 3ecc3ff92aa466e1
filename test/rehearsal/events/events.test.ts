import type { InvokeRequest, LambdaPort } from '../../../rehearsal/core/ports';
import { createEvents } from '../../../rehearsal/services/events';
import { ManualClock } from '../../support/manual-clock';
import { Resource } from '../api-server/support';

const FUNCTION = 'arn:aws:lambda:us-east-1:123456789012:function:watch';
const HOUR_MS = 60 * 60_000;

function world() {
  const clock = new ManualClock();
  const invocations: InvokeRequest[] = [];
  const lambda = {
    invoke: async (request: InvokeRequest) => {
      invocations.push(request);
      throw new Error('the target is gone');
    },
  } as unknown as LambdaPort;
  const events = createEvents({ clock, lambda });
  return { clock, invocations, events, rule: Resource.of(events.handlers, 'AWS::Events::Rule', 'Rule') };
}

const RULE = {
  ScheduleExpression: 'rate(1 hour)',
  State: 'ENABLED',
  Targets: [{ Arn: FUNCTION, Id: 'Target0', Input: '{"watch":true}' }],
};

test('a rule invokes its target once in each interval, not before the first is over, as the rule', async () => {
  const { clock, invocations, rule } = world();
  const { attributes } = await rule.create(RULE);
  await clock.advance(HOUR_MS - 1);
  expect(invocations).toEqual([]);
  await clock.advance(1);
  await clock.advance(2 * HOUR_MS);
  expect(invocations).toHaveLength(3);
  expect(invocations[0]).toEqual({
    function: FUNCTION,
    payload: '{"watch":true}',
    type: 'Event',
    invoker: { service: 'events.amazonaws.com', sourceArn: attributes.Arn },
  });
});

test('a rule that is disabled or deleted, or whose cloud has ended, invokes nothing', async () => {
  const { clock, invocations, events, rule } = world();
  await rule.create(RULE);
  await rule.update({ ...RULE, State: 'DISABLED' });
  await clock.advance(2 * HOUR_MS);
  await rule.update(RULE);
  await rule.delete();
  await clock.advance(2 * HOUR_MS);
  await rule.create({ ...RULE, Name: 'again' });
  events.stop();
  await clock.advance(2 * HOUR_MS);
  expect(invocations).toEqual([]);
});

test('refuses what is no rate', async () => {
  const { rule } = world();
  await expect(rule.create({ ...RULE, ScheduleExpression: 'cron(0 8 * * ? *)' })).rejects.toThrow(
    /AWS::Events::Rule .*only rates are rehearsable/,
  );
});
