import { z } from 'zod';
import { DEFAULT_STOP_TIMEOUT_SECONDS, MAX_STOP_TIMEOUT_SECONDS } from '../../../lib/contract';
import { cfnBoolean, cfnNumber, cfnTags } from '../../core/properties';
import type { ContainerDefinition, TaskDefinition } from './model';

const seconds = (least: number, most: number) => cfnNumber.pipe(z.number().int().min(least).max(most));
const words = z.array(z.string()).min(1);

/** https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html */
const healthCheckSchema = z.strictObject({
  Command: words.refine(([form]) => form === 'CMD' || form === 'CMD-SHELL', 'expected CMD or CMD-SHELL first'),
  Interval: seconds(5, 300).default(30),
  Timeout: seconds(2, 120).default(5),
  Retries: seconds(1, 10).default(3),
  StartPeriod: seconds(0, 300).default(0),
});

/** https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html */
const logSchema = z.strictObject({
  LogDriver: z.literal('awslogs'),
  Options: z.strictObject({
    'awslogs-group': z.string(),
    'awslogs-region': z.string(),
    'awslogs-stream-prefix': z.string(),
    'awslogs-create-group': cfnBoolean.optional(),
    'max-buffer-size': z.string().optional(),
    mode: z.enum(['blocking', 'non-blocking']).optional(),
  }),
});

/**
 * Settings without effect here: a container is a process of this machine with all that the machine has. What is missing would
 * change what a container does, and is refused.
 */
const withoutEffect = {
  Cpu: cfnNumber.optional(),
  LinuxParameters: z.looseObject({}).optional(),
  Memory: cfnNumber.optional(),
  MemoryReservation: cfnNumber.optional(),
  MountPoints: z.array(z.looseObject({})).optional(),
  PortMappings: z.array(z.looseObject({})).optional(),
  Privileged: z.union([z.literal(false), z.literal('false')]).optional(),
  ReadonlyRootFilesystem: cfnBoolean.optional(),
  Ulimits: z.array(z.looseObject({})).optional(),
  User: z.string().optional(),
  VersionConsistency: z.enum(['enabled', 'disabled']).optional(),
};

const containerSchema = z.strictObject({
  ...withoutEffect,
  Command: words.optional(),
  DependsOn: z
    .array(
      z.strictObject({ ContainerName: z.string(), Condition: z.enum(['START', 'COMPLETE', 'SUCCESS', 'HEALTHY']) }),
    )
    .default([]),
  EntryPoint: words.optional(),
  Environment: z
    .array(
      z.strictObject({ Name: z.string(), Value: z.union([z.string(), z.number(), z.boolean()]).transform(String) }),
    )
    .default([]),
  Essential: cfnBoolean.default(true),
  HealthCheck: healthCheckSchema.optional(),
  Image: z.string().min(1),
  LogConfiguration: logSchema.optional(),
  Name: z.string().regex(/^[\w-]{1,255}$/),
  RepositoryCredentials: z.strictObject({ CredentialsParameter: z.string().startsWith('arn:') }).optional(),
  StartTimeout: seconds(2, 120).optional(),
  StopTimeout: seconds(0, MAX_STOP_TIMEOUT_SECONDS).default(DEFAULT_STOP_TIMEOUT_SECONDS),
});

/** https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size */
const FARGATE_MEMORY: Readonly<Record<number, { readonly from: number; readonly to: number; readonly step: number }>> =
  {
    256: { from: 512, to: 2_048, step: 512 },
    512: { from: 1_024, to: 4_096, step: 1_024 },
    1024: { from: 2_048, to: 8_192, step: 1_024 },
    2048: { from: 4_096, to: 16_384, step: 1_024 },
    4096: { from: 8_192, to: 30_720, step: 1_024 },
    8192: { from: 16_384, to: 61_440, step: 4_096 },
    16384: { from: 32_768, to: 122_880, step: 8_192 },
  };

export const taskDefinitionSchema = z
  .strictObject({
    ContainerDefinitions: z.array(containerSchema).min(1).max(10),
    Cpu: cfnNumber,
    EphemeralStorage: z.strictObject({ SizeInGiB: cfnNumber }).optional(),
    ExecutionRoleArn: z.string().startsWith('arn:').optional(),
    Family: z
      .string()
      .regex(/^[\w-]{1,255}$/)
      .optional(),
    Memory: cfnNumber,
    NetworkMode: z.literal('awsvpc'),
    RequiresCompatibilities: z.array(z.enum(['FARGATE', 'EC2'])).refine((kinds) => kinds.includes('FARGATE'), {
      message: 'expected FARGATE',
    }),
    RuntimePlatform: z
      .strictObject({
        CpuArchitecture: z.enum(['X86_64', 'ARM64']).optional(),
        OperatingSystemFamily: z.literal('LINUX').optional(),
      })
      .optional(),
    Tags: cfnTags.optional(),
    TaskRoleArn: z.string().startsWith('arn:').optional(),
    Volumes: z.array(z.strictObject({ Name: z.string() })).optional(),
  })
  .superRefine((given, context) => {
    const refuse = (path: readonly PropertyKey[], message: string) =>
      context.addIssue({ code: 'custom', path: [...path], message });
    const sizes = FARGATE_MEMORY[given.Cpu];
    const fits =
      sizes !== undefined &&
      given.Memory >= sizes.from &&
      given.Memory <= sizes.to &&
      (given.Memory === sizes.from || given.Memory % sizes.step === 0);
    if (!fits) {
      refuse(['Memory'], `No Fargate configuration exists for given values: ${given.Cpu} CPU, ${given.Memory} memory.`);
    }
    const names = given.ContainerDefinitions.map(({ Name }) => Name);
    if (new Set(names).size < names.length) {
      refuse(['ContainerDefinitions'], `two containers of one name: ${names.join(', ')}`);
    }
    if (!given.ContainerDefinitions.some(({ Essential }) => Essential)) {
      refuse(['ContainerDefinitions'], 'at least one container must be essential');
    }
    given.ContainerDefinitions.forEach(({ DependsOn, LogConfiguration }, index) => {
      for (const { ContainerName, Condition } of DependsOn) {
        const target = given.ContainerDefinitions.find(({ Name }) => Name === ContainerName);
        const path = ['ContainerDefinitions', index, 'DependsOn'];
        if (target === undefined) {
          refuse(path, `there is no container ${ContainerName}`);
        } else if (Condition === 'HEALTHY' && target.HealthCheck === undefined) {
          refuse(path, `${ContainerName} has no health check, and is to be HEALTHY`);
        } else if ((Condition === 'COMPLETE' || Condition === 'SUCCESS') && target.Essential) {
          refuse(path, `${ContainerName} is essential, and is to be ${Condition}`);
        }
      }
      if (LogConfiguration !== undefined && given.ExecutionRoleArn === undefined) {
        refuse(
          ['ExecutionRoleArn'],
          'Fargate requires task definition to have execution role ARN to support log driver awslogs.',
        );
      }
    });
    if (circular(given.ContainerDefinitions)) {
      refuse(['ContainerDefinitions'], 'containers depend on each other in a circle');
    }
  });

export type TaskDefinitionProperties = z.infer<typeof taskDefinitionSchema>;
type ContainerProperties = TaskDefinitionProperties['ContainerDefinitions'][number];

export function definitionOf(given: TaskDefinitionProperties): Omit<TaskDefinition, 'arn' | 'family' | 'revision'> {
  return {
    cpu: given.Cpu,
    memoryMiB: given.Memory,
    taskRoleArn: given.TaskRoleArn,
    executionRoleArn: given.ExecutionRoleArn,
    containers: given.ContainerDefinitions.map(containerOf),
  };
}

function containerOf(given: ContainerProperties): ContainerDefinition {
  const { HealthCheck: check, LogConfiguration: log } = given;
  return {
    name: given.Name,
    image: given.Image,
    registrySecret: given.RepositoryCredentials?.CredentialsParameter,
    essential: given.Essential,
    entryPoint: given.EntryPoint,
    command: given.Command,
    environment: Object.fromEntries(given.Environment.map(({ Name, Value }) => [Name, Value])),
    dependsOn: given.DependsOn.map(({ ContainerName, Condition }) => ({
      container: ContainerName,
      condition: Condition,
    })),
    startTimeoutSeconds: given.StartTimeout,
    stopTimeoutSeconds: given.StopTimeout,
    healthCheck:
      check === undefined
        ? undefined
        : {
            command: check.Command,
            intervalSeconds: check.Interval,
            timeoutSeconds: check.Timeout,
            retries: check.Retries,
            startPeriodSeconds: check.StartPeriod,
          },
    log:
      log === undefined
        ? undefined
        : {
            group: log.Options['awslogs-group'],
            streamPrefix: log.Options['awslogs-stream-prefix'],
            createGroup: log.Options['awslogs-create-group'] ?? false,
          },
  };
}

function circular(containers: readonly ContainerProperties[]): boolean {
  const visit = (name: string, path: readonly string[]): boolean =>
    path.includes(name) ||
    (containers.find(({ Name }) => Name === name)?.DependsOn ?? []).some(({ ContainerName }) =>
      visit(ContainerName, [...path, name]),
    );
  return containers.some(({ Name }) => visit(Name, []));
}
