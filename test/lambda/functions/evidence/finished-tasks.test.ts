import { CloudWatchClient, GetMetricDataCommand, type GetMetricDataOutput } from '@aws-sdk/client-cloudwatch';
import { countFinishedTasks } from '../../../../lambda/functions/evidence/finished-tasks';
import { START } from '../../shared/support/fakes';

function setUp(pages: readonly GetMetricDataOutput[]) {
  const client = new CloudWatchClient({ region: 'us-east-1' });
  const inputs: GetMetricDataCommand['input'][] = [];
  jest.spyOn(client, 'send').mockImplementation(async (command: unknown) => {
    if (command instanceof GetMetricDataCommand) {
      inputs.push(command.input);
    }
    return pages[inputs.length - 1] ?? {};
  });
  return { client, inputs };
}

test('counts the release by whole minutes', async () => {
  const { client, inputs } = setUp([{ MetricDataResults: [{ Id: 'finished', Values: [3, 4, 1] }] }]);
  const finished = await countFinishedTasks(client, 'support', 'r-0123456789ab', START + 59_999, START + 120_001);
  expect(finished).toBe(8);
  expect(inputs).toEqual([
    {
      MetricDataQueries: [
        {
          Id: 'finished',
          MetricStat: {
            Metric: {
              Namespace: 'AgentLanes',
              MetricName: 'TasksFinished',
              Dimensions: [
                { Name: 'Agent', Value: 'support' },
                { Name: 'Release', Value: 'r-0123456789ab' },
              ],
            },
            Period: 60,
            Stat: 'Sum',
          },
        },
      ],
      StartTime: new Date(START),
      EndTime: new Date(START + 180_000),
      NextToken: undefined,
    },
  ]);
});

test('adds up all pages', async () => {
  const { client, inputs } = setUp([
    { MetricDataResults: [{ Values: [1] }, { Values: [2] }], NextToken: 'more' },
    { MetricDataResults: [{ Values: [4] }] },
  ]);
  await expect(countFinishedTasks(client, 'support', 'r-0123456789ab', START, START)).resolves.toBe(7);
  expect(inputs.map(({ NextToken }) => NextToken)).toEqual([undefined, 'more']);
});

test('a metric that no worker emitted counts as none', async () => {
  const { client } = setUp([{}]);
  await expect(countFinishedTasks(client, 'support', 'r-0123456789ab', START, START)).resolves.toBe(0);
});
