import { MAX_STOP_TIMEOUT_SECONDS } from './containers';

/** A limit of AWS that the constructs check at synth, with its source. */
export interface PlatformLimit {
  readonly value: number;
  readonly unit: string;
  readonly source: string;
}

export const PlatformLimits = {
  /** CloudFormation waits 120 minutes for an alias, including CodeDeploy's waits; 20 minutes remain for hooks and rollback. */
  ATTACHED_ROLLOUT: {
    value: 100,
    unit: 'minutes',
    source: 'https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-updatepolicy.html',
  },
  ROLLOUT_ALARMS: {
    value: 10,
    unit: 'alarms per deployment group',
    source: 'https://docs.aws.amazon.com/codedeploy/latest/userguide/limits.html',
  },
  SHIFT_PERCENT: {
    value: 99,
    unit: 'percent per step',
    source: 'https://docs.aws.amazon.com/codedeploy/latest/userguide/limits.html',
  },
  LAMBDA_TIMEOUT: {
    value: 900,
    unit: 'seconds',
    source: 'https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html',
  },
  LAMBDA_ENVIRONMENT: {
    value: 4096,
    unit: 'bytes',
    source: 'https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html',
  },
  ESM_MAX_CONCURRENCY: {
    value: 1000,
    unit: 'concurrent invocations',
    source: 'https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html',
  },
  SQS_VISIBILITY: {
    value: 43_200,
    unit: 'seconds',
    source: 'https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html',
  },
  FARGATE_CPU: {
    value: 16_384,
    unit: 'CPU units',
    source: 'https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html',
  },
  FARGATE_STOP_TIMEOUT: {
    value: MAX_STOP_TIMEOUT_SECONDS,
    unit: 'seconds',
    source: 'https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html',
  },
} as const satisfies Record<string, PlatformLimit>;
