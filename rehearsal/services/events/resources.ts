import { z } from 'zod';
import type { RehearsalClock, Timer } from '../../core/clock';
import { physicalName } from '../../core/physical-name';
import type { LambdaPort } from '../../core/ports';
import { readProperties } from '../../core/properties';
import {
  REHEARSAL_ACCOUNT,
  REHEARSAL_REGION,
  type ResourceHandler,
  type ResourceOutcome,
  type ResourceRequest,
} from '../../core/resource';

const UNIT_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;
const RATE = /^rate\((\d+) (minute|hour|day)s?\)$/;

const ruleSchema = z.strictObject({
  Description: z.string().optional(),
  Name: z.string().optional(),
  ScheduleExpression: z.string().regex(RATE, 'must be rate(n minutes|hours|days): only rates are rehearsable'),
  State: z.enum(['ENABLED', 'DISABLED']).optional(),
  Targets: z.array(z.strictObject({ Arn: z.string(), Id: z.string(), Input: z.string().optional() })).optional(),
});

export interface RuleHandler extends ResourceHandler {
  /** Cancels every schedule. */
  stop(): void;
}

/**
 * `AWS::Events::Rule` with a rate: a rule fires first when one interval is over, and invokes its targets asynchronously.
 * https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
 */
export function ruleHandler(clock: RehearsalClock, lambda: LambdaPort): RuleHandler {
  const type = 'AWS::Events::Rule';
  /** By the rule's name. */
  const timers = new Map<string, Timer>();
  let stopped = false;

  const put = (request: ResourceRequest, name: string): ResourceOutcome => {
    const { ScheduleExpression, State, Targets = [] } = readProperties(type, ruleSchema, request);
    const arn = `arn:aws:events:${REHEARSAL_REGION}:${REHEARSAL_ACCOUNT}:rule/${name}`;
    const fire = () => {
      for (const { Arn, Input } of Targets) {
        const payload =
          Input ?? JSON.stringify({ source: 'aws.events', 'detail-type': 'Scheduled Event', resources: [arn] });
        const invoker = { service: 'events.amazonaws.com', sourceArn: arn };
        // A missing target, or one that does not permit the rule, fails silently, as on AWS.
        lambda.invoke({ function: Arn, payload, type: 'Event', invoker }).catch(() => undefined);
      }
    };
    timers.get(name)?.cancel();
    timers.delete(name);
    const [, count, unit] = RATE.exec(ScheduleExpression) ?? [];
    const interval = Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS];
    const next = () => {
      if (!stopped) {
        timers.set(
          name,
          clock.after(interval, () => {
            next();
            fire();
          }),
        );
      }
    };
    if (State !== 'DISABLED') {
      next();
    }
    return { physicalId: name, attributes: { Arn: arn } };
  };

  return {
    type,
    source: 'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-rule.html',
    properties: Object.keys(ruleSchema.shape),
    replaceOn: ['Name'],
    create: async (request) =>
      put(
        request,
        typeof request.properties.Name === 'string'
          ? request.properties.Name
          : physicalName(request.stack, request.logicalId, { maxLength: 64 }),
      ),
    update: async (request) => put(request, request.physicalId),
    delete: async ({ physicalId }) => {
      timers.get(physicalId)?.cancel();
      timers.delete(physicalId);
    },
    stop: () => {
      stopped = true;
      for (const timer of timers.values()) {
        timer.cancel();
      }
    },
  };
}
