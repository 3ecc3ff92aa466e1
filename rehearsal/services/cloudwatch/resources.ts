import { physicalName } from '../../core/physical-name';
import { ResourceFailure, type ResourceHandler, type ResourceOutcome, type ResourceRequest } from '../../core/resource';
import { AlarmDefinitionError, readAlarm } from './alarm-definition';
import type { Alarms } from './alarms';

export function alarmHandler(alarms: Alarms): ResourceHandler {
  const put = (request: ResourceRequest, name: string): ResourceOutcome => {
    const { partition, region, account } = request.stack;
    const arn = `arn:${partition}:cloudwatch:${region}:${account}:alarm:${name}`;
    try {
      alarms.put(readAlarm(name, request.properties), arn);
    } catch (error) {
      throw error instanceof AlarmDefinitionError ? new ResourceFailure(error.message) : error;
    }
    return { physicalId: name, attributes: { Arn: arn } };
  };
  return {
    type: 'AWS::CloudWatch::Alarm',
    source: 'https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-cloudwatch-alarm.html',
    properties: [
      'ActionsEnabled',
      'AlarmActions',
      'AlarmDescription',
      'AlarmName',
      'ComparisonOperator',
      'DatapointsToAlarm',
      'Dimensions',
      'EvaluateLowSampleCountPercentile',
      'EvaluationPeriods',
      'ExtendedStatistic',
      'InsufficientDataActions',
      'MetricName',
      'Metrics',
      'Namespace',
      'OKActions',
      'Period',
      'Statistic',
      'Tags',
      'Threshold',
      'TreatMissingData',
      'Unit',
    ],
    replaceOn: ['AlarmName'],
    create: async (request) => {
      const given = request.properties.AlarmName;
      const name =
        typeof given === 'string' ? given : physicalName(request.stack, request.logicalId, { maxLength: 255 });
      if (alarms.has(name)) {
        throw new ResourceFailure(`alarm ${name} already exists`);
      }
      return put(request, name);
    },
    update: async (request) => put(request, request.physicalId),
    delete: async (request) => alarms.remove(request.physicalId),
  };
}

/** Takes a dashboard whose body is JSON with a list of widgets; nothing is drawn. */
export function dashboardHandler(): ResourceHandler {
  const check = (request: ResourceRequest, name: string): ResourceOutcome => {
    const body = request.properties.DashboardBody;
    const fail = (why: string): never => {
      throw new ResourceFailure(`dashboard ${name}: DashboardBody ${why}`);
    };
    if (typeof body !== 'string') {
      return fail('must be text');
    }
    let parsed: unknown;
    try {
      parsed = JSON.parse(body);
    } catch (error) {
      return fail(`is not JSON: ${error instanceof Error ? error.message : String(error)}`);
    }
    if (typeof parsed !== 'object' || parsed === null || !('widgets' in parsed) || !Array.isArray(parsed.widgets)) {
      return fail('must be a JSON object with a list "widgets"');
    }
    return { physicalId: name, attributes: {} };
  };
  return {
    type: 'AWS::CloudWatch::Dashboard',
    source: 'https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html',
    properties: ['DashboardBody', 'DashboardName', 'Tags'],
    replaceOn: ['DashboardName'],
    create: async (request) => {
      const given = request.properties.DashboardName;
      return check(
        request,
        typeof given === 'string' ? given : physicalName(request.stack, request.logicalId, { maxLength: 255 }),
      );
    },
    update: async (request) => check(request, request.physicalId),
    delete: async () => undefined,
  };
}
