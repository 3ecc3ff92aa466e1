import type { Call } from '../../../../rehearsal/core/service';
import {
  dataPlaneOf,
  hasProbe,
  isHeartbeat,
  type PlacedResource,
} from '../../../../rehearsal/drill/scenario/data-plane';

const url = (name: string) => `http://127.0.0.1:1/123456789012/${name}`;
const lane = (name: string) => ({ high: url(`${name}-high`), normal: url(`${name}-normal`), low: url(`${name}-low`) });
const placed = (type: string, properties: Record<string, unknown>, physicalId = type, Name = ''): PlacedResource => ({
  type,
  properties,
  physicalId,
  attributes: { Name },
});
const mapping = (queue: string, FunctionName: string) =>
  placed('AWS::Lambda::EventSourceMapping', {
    EventSourceArn: `arn:aws:sqs:us-east-1:123456789012:${queue}`,
    FunctionName,
  });
const QUEUES = { stable: lane('stable'), candidate: lane('candidate') };

test('the data plane has the functions that queues and the API invoke; workers process the lanes’ queues', () => {
  const { functions, workers } = dataPlaneOf(
    [
      mapping('stable-high', 'arn:aws:lambda:us-east-1:123456789012:function:worker:stable'),
      mapping('candidate-low', 'worker:candidate'),
      mapping('webhooks', 'webhook'),
      placed('AWS::ApiGatewayV2::Integration', {
        IntegrationUri: 'arn:aws:lambda:us-east-1:123456789012:function:router:live',
      }),
      placed('AWS::Lambda::Function', { FunctionName: 'recorder' }),
    ],
    QUEUES,
  );
  expect([...functions].sort()).toEqual(['router', 'webhook', 'worker']);
  expect([...workers]).toEqual(['worker']);
});

test('services that poll a lane are workers, other services are not in the data plane', () => {
  const containers = (...names: string[]) => ({
    ContainerDefinitions: [{}, { Environment: names.map((Name) => ({ Name, Value: 'x' })) }],
  });
  const { functions, workers } = dataPlaneOf(
    [
      placed('AWS::ECS::TaskDefinition', containers('AGENT_LANES_LANE'), 'lane:1'),
      placed('AWS::ECS::Service', { TaskDefinition: 'lane:1' }, 'arn:lane', 'stable'),
      placed('AWS::ECS::TaskDefinition', containers('OTHER'), 'web:1'),
      placed('AWS::ECS::Service', { TaskDefinition: 'web:1' }, 'arn:web', 'web'),
      placed('AWS::ECS::Service', { TaskDefinition: 'not-of-this-stack:1' }, 'arn:x', 'x'),
    ],
    QUEUES,
  );
  expect([...functions]).toEqual(['stable']);
  expect([...workers]).toEqual(['stable']);
});

test('a heartbeat sets the lease and not the status', () => {
  const call = (operation: string, UpdateExpression: string, names: Record<string, string> = {}) =>
    ({ operation, input: { UpdateExpression, ExpressionAttributeNames: names } }) as unknown as Call;
  const names = { '#lease': 'lease', '#status': 'status' };
  expect(isHeartbeat('dynamodb', call('UpdateItem', 'SET #lease = :new_lease', names))).toBe(true);
  expect(isHeartbeat('dynamodb', call('UpdateItem', 'SET #lease.#expiresAt = :t', names))).toBe(true);
  expect(isHeartbeat('dynamodb', call('UpdateItem', 'SET #status = :s, #lease = :l', names))).toBe(false);
  expect(isHeartbeat('dynamodb', call('UpdateItem', 'SET usage = :u'))).toBe(false);
  expect(isHeartbeat('dynamodb', call('PutItem', ''))).toBe(false);
  expect(isHeartbeat('sqs', call('UpdateItem', 'SET #lease = :l', names))).toBe(false);
});

test('a probe is recognized by the mode in its envelope', () => {
  const event = (mode: string) => JSON.stringify({ Records: [{ body: JSON.stringify({ version: 1, mode }) }] });
  expect(hasProbe(event('probe'))).toBe(true);
  expect(hasProbe(event('live'))).toBe(false);
});
