import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { RehearsalClock } from '../../core/clock';
import { physicalName } from '../../core/physical-name';
import type { LogsPort } from '../../core/ports';
import { cfnBoolean, cfnNumber, cfnTags, readProperties } from '../../core/properties';
import {
  REHEARSAL_ACCOUNT,
  REHEARSAL_REGION,
  ResourceFailure,
  type ResourceHandler,
  type ResourceOutcome,
  type ResourceRequest,
} from '../../core/resource';
import { type RehearsalService, ServiceError } from '../../core/service';

/** Lines kept in memory per group, the newest. */
const MAX_LINES = 20_000;

/** Events in one answer of FilterLogEvents. */
const MAX_EVENTS = 10_000;

export interface LogsDeps {
  readonly clock: RehearsalClock;
  /**
   * Folder in which every group also gets a file that holds all of its lines.
   * @default lines are kept in memory only, the newest 20,000 of a group
   */
  readonly directory?: string;
}

export interface LogLine {
  /** Cloud time. */
  readonly timestamp: number;
  readonly stream: string;
  readonly message: string;
}

export interface Logs extends LogsPort {
  readonly service: RehearsalService;
  readonly handlers: readonly ResourceHandler[];
  /** Lines of a group, oldest first. */
  lines(logGroup: string): readonly LogLine[];
  groups(): readonly string[];
  stop(): Promise<void>;
}

const groupSchema = z.strictObject({
  DeletionProtectionEnabled: cfnBoolean.optional(),
  KmsKeyId: z.string().optional(),
  LogGroupClass: z.literal('STANDARD').optional(),
  LogGroupName: z.string().optional(),
  RetentionInDays: cfnNumber.optional(),
  Tags: cfnTags.optional(),
});

/**
 * CloudWatch Logs: groups from the template, lines from the functions, FilterLogEvents (without patterns) to read them.
 * Retention has no effect. A function whose group is not in the template gets one at its first line, as on AWS.
 * https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
 */
export function createLogs({ clock, directory }: LogsDeps): Logs {
  const groups = new Map<string, LogLine[]>();
  if (directory !== undefined) mkdirSync(directory, { recursive: true });

  function write(logGroup: string, stream: string, line: string): void {
    const timestamp = clock.now();
    const lines = groups.get(logGroup);
    const entry = { timestamp, stream, message: line };
    if (lines === undefined) groups.set(logGroup, [entry]);
    else {
      lines.push(entry);
      // Cut rarely: shifting a line each time would copy the array each time.
      if (lines.length >= 2 * MAX_LINES) lines.splice(0, lines.length - MAX_LINES);
    }
    if (directory !== undefined) {
      const file = join(directory, `${logGroup.replace(/^\//, '').replaceAll('/', '_')}.log`);
      appendFileSync(file, `${new Date(timestamp).toISOString()} ${stream} ${line}\n`);
    }
  }

  return {
    write,
    lines: (logGroup) => groups.get(logGroup)?.slice(-MAX_LINES) ?? [],
    groups: () => [...groups.keys()],
    handlers: [groupHandler(groups)],
    stop: async () => {},
    service: {
      signingName: 'logs',
      protocol: 'awsJson1.1',
      operations: ['FilterLogEvents'],
      authorize: ({ input }) => [
        { action: 'logs:FilterLogEvents', resource: `${groupArn(String(input.logGroupName))}:*` },
      ],
      handle: async ({ input }) => {
        const query = filterSchema.safeParse(input);
        if (!query.success) {
          const parameters = query.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; ');
          throw new ServiceError('NotRehearsable', `not rehearsable: logs.FilterLogEvents: ${parameters}`, 501);
        }
        const { logGroupName, startTime = 0, endTime = Number.POSITIVE_INFINITY, limit = MAX_EVENTS } = query.data;
        const lines = groups.get(logGroupName);
        if (lines === undefined) {
          throw new ServiceError('ResourceNotFoundException', 'The specified log group does not exist.');
        }
        const events = lines
          .filter((line) => line.timestamp >= startTime && line.timestamp <= endTime)
          .slice(0, limit)
          .map(({ timestamp, stream, message }) => ({ timestamp, message, logStreamName: stream }));
        return { events };
      },
    },
  };
}

const filterSchema = z.strictObject({
  logGroupName: z.string(),
  startTime: z.number().optional(),
  endTime: z.number().optional(),
  limit: z.number().int().positive().max(MAX_EVENTS).optional(),
});

function groupHandler(groups: Map<string, LogLine[]>): ResourceHandler {
  const type = 'AWS::Logs::LogGroup';
  const outcome = (request: ResourceRequest, name: string): ResourceOutcome => {
    readProperties(type, groupSchema, request);
    return { physicalId: name, attributes: { Arn: `${groupArn(name)}:*` } };
  };
  return {
    type,
    source: 'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-loggroup.html',
    properties: Object.keys(groupSchema.shape),
    replaceOn: ['LogGroupName'],
    create: async (request) => {
      const { LogGroupName } = readProperties(type, groupSchema, request);
      if (LogGroupName !== undefined && groups.has(LogGroupName)) {
        throw new ResourceFailure(`Resource of type '${type}' with identifier '${LogGroupName}' already exists.`);
      }
      const name = LogGroupName ?? physicalName(request.stack, request.logicalId, { maxLength: 512 });
      const result = outcome(request, name);
      groups.set(name, []);
      return result;
    },
    update: async (request) => outcome(request, request.physicalId),
    delete: async ({ physicalId }) => void groups.delete(physicalId),
  };
}

function groupArn(name: string): string {
  return `arn:aws:logs:${REHEARSAL_REGION}:${REHEARSAL_ACCOUNT}:log-group:${name}`;
}
