import { handleSqsBatch } from '../../../../lambda/functions/router/inbox-handler';
import type { Submission } from '../../../../lambda/functions/router/submission';
import type { SubmitOptions } from '../../../../lambda/functions/router/task-intake';
import type { SqsRecord } from '../../../../lambda/shared/aws/sqs-event';
import { Refusal } from '../../../../lambda/shared/http/http';
import { MetricEmitter } from '../../../../lambda/shared/telemetry/emf';
import { CapturedLog, FakeClock } from '../../shared/support/fakes';

const TRACE = 'Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1';

function record(messageId: string, body: unknown, attributes: Partial<SqsRecord['attributes']> = {}): SqsRecord {
  return {
    messageId,
    receiptHandle: `handle of ${messageId}`,
    body: typeof body === 'string' ? body : JSON.stringify(body),
    attributes: { ApproximateReceiveCount: 1, ...attributes },
  };
}

async function take(
  records: readonly SqsRecord[],
  submit: (submission: Submission, options?: SubmitOptions) => Promise<void> = async () => {},
) {
  const submissions: Submission[] = [];
  const metricLines: string[] = [];
  const logger = new CapturedLog();
  const response = await handleSqsBatch(
    { Records: records },
    {
      intake: {
        submit: async (submission, options) => {
          submissions.push(submission);
          await submit(submission, options);
          return { id: 't-1', status: 'queued' };
        },
      },
      logger,
      metrics: new MetricEmitter({
        dimensions: { Agent: 'support' },
        clock: new FakeClock(),
        sink: (line) => metricLines.push(line),
      }),
      webhooks: undefined,
    },
  );
  return { response, submissions, metricLines, logger };
}

test('messages become tasks, with the message id as key where there is none', async () => {
  const { response, submissions } = await take([
    record('m-1', { input: 1, user: 'u' }, { AWSTraceHeader: TRACE }),
    record('m-2', { input: 2, user: 'u', idempotencyKey: 'k', priority: 'low', session: 's' }),
  ]);
  expect(response).toEqual({ batchItemFailures: [] });
  expect(submissions).toEqual([
    { input: 1, user: 'u', priority: 'normal', idempotencyKey: 'inbox:m-1', traceHeader: TRACE },
    { input: 2, user: 'u', priority: 'low', idempotencyKey: 'k', session: 's' },
  ]);
});

test('refuses what is no request, and takes the rest of the batch', async () => {
  const { response, submissions, logger, metricLines } = await take([
    record('m-1', 'nonsense'),
    record('m-2', { input: 2 }),
    record('m-3', { input: 3, user: 'u' }),
  ]);
  expect(response).toEqual({ batchItemFailures: [{ itemIdentifier: 'm-1' }, { itemIdentifier: 'm-2' }] });
  expect(submissions).toHaveLength(1);
  expect(logger.find('request refused').fields).toMatchObject({ inboxMessage: 'm-1', code: 'invalid_request' });
  expect(metricLines.map((line) => JSON.parse(line))).toMatchObject([{ TasksRefused: 1 }, { TasksRefused: 1 }]);
});

test.each([
  ['an outage', new Refusal('unavailable', 'later'), 'warn'],
  ['a conflict', new Refusal('idempotency_conflict', 'other'), 'info'],
  ['a bug', new TypeError('bug'), 'error'],
])('a message stays in the queue after %s', async (_, error, level) => {
  const { response, logger } = await take([record('m-1', { input: 1, user: 'u' })], () => Promise.reject(error));
  expect(response).toEqual({ batchItemFailures: [{ itemIdentifier: 'm-1' }] });
  expect(logger.find('request refused').level).toBe(level);
});

test('a message waits in the inbox while too much waits, but not until it would be taken for a mistake', async () => {
  const crowded = async (_: Submission, options: SubmitOptions = {}) => {
    if (options.despiteOverload !== true) {
      throw new Refusal('overloaded', 'too much waits');
    }
  };
  const received = (times: number) => record(`m-${times}`, { input: 1, user: 'u' }, { ApproximateReceiveCount: times });
  const { response, metricLines } = await take([1, 2, 3, 4].map(received), crowded);
  expect(response.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)).toEqual(['m-1', 'm-2', 'm-3']);
  // Nothing was refused.
  expect(metricLines).toEqual([]);
});
