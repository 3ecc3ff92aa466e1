import { z } from 'zod';
import { type RehearsalService, ServiceError } from '../../core/service';
import { type LogGroups, logGroupArn } from './model';

/** Events in one answer of FilterLogEvents. */
const MAX_EVENTS = 10_000;

const filterSchema = z.strictObject({
  logGroupName: z.string(),
  startTime: z.number().optional(),
  endTime: z.number().optional(),
  limit: z.number().int().positive().max(MAX_EVENTS).optional(),
});

/**
 * FilterLogEvents without filter patterns.
 * https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
 */
export function logsOperations(groups: LogGroups): RehearsalService {
  return {
    signingName: 'logs',
    protocol: 'awsJson1.1',
    operations: ['FilterLogEvents'],
    authorize: ({ input }) => [
      { action: 'logs:FilterLogEvents', resource: `${logGroupArn(String(input.logGroupName))}:*` },
    ],
    handle: async ({ input }) => {
      const query = filterSchema.safeParse(input);
      if (!query.success) {
        const parameters = query.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; ');
        throw new ServiceError('NotRehearsable', `not rehearsable: logs.FilterLogEvents: ${parameters}`, 501);
      }
      const { logGroupName, startTime = 0, endTime = Number.POSITIVE_INFINITY, limit = MAX_EVENTS } = query.data;
      const lines = groups.allLines(logGroupName);
      if (lines === undefined) {
        throw new ServiceError('ResourceNotFoundException', 'The specified log group does not exist.');
      }
      const events = lines
        .filter((line) => line.timestamp >= startTime && line.timestamp <= endTime)
        .slice(0, limit)
        .map(({ timestamp, stream, message }) => ({ timestamp, message, logStreamName: stream }));
      return { events };
    },
  };
}
