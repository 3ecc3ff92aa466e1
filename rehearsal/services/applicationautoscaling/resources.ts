import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { cfnBoolean, cfnNumber, readProperties } from '../../core/properties';
import {
  REHEARSAL_ACCOUNT,
  REHEARSAL_REGION,
  ResourceFailure,
  type ResourceHandler,
  type ResourceOutcome,
  type ResourceRequest,
} from '../../core/resource';
import type { ScalableServices, ScalableTargets } from './model';
import { stepPolicySchema } from './step-policy';

const DIMENSION = 'ecs:service:DesiredCount';

const targetSchema = z.strictObject({
  MaxCapacity: cfnNumber.pipe(z.number().int().min(0)),
  MinCapacity: cfnNumber.pipe(z.number().int().min(0)),
  ResourceId: z.string().regex(/^service\/[\w-]+\/[\w-]+$/, 'expected service/CLUSTER/NAME'),
  RoleARN: z.string().optional(),
  ScalableDimension: z.literal(DIMENSION),
  ServiceNamespace: z.literal('ecs'),
  SuspendedState: z
    .strictObject({
      DynamicScalingInSuspended: cfnBoolean.default(false),
      DynamicScalingOutSuspended: cfnBoolean.default(false),
      ScheduledScalingSuspended: cfnBoolean.optional(),
    })
    .optional(),
});

const policySchema = z.strictObject({
  PolicyName: z.string().min(1).max(256),
  PolicyType: z.literal('StepScaling'),
  ResourceId: z.string().optional(),
  ScalableDimension: z.literal(DIMENSION).optional(),
  ScalingTargetId: z.string().optional(),
  ServiceNamespace: z.literal('ecs').optional(),
  StepScalingPolicyConfiguration: stepPolicySchema,
});

const DOCUMENTS = 'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference';

/** `AWS::ApplicationAutoScaling::ScalableTarget` */
export function scalableTargetHandler(targets: ScalableTargets, services: ScalableServices): ResourceHandler {
  const type = 'AWS::ApplicationAutoScaling::ScalableTarget';
  const put = (request: ResourceRequest): ResourceOutcome => {
    const given = readProperties(type, targetSchema, request);
    const { ResourceId: resourceId, MinCapacity: min, MaxCapacity: max, SuspendedState: suspended } = given;
    if (min > max) {
      throw new ResourceFailure(`ValidationException: Minimum capacity ${min} cannot be greater than maximum ${max}`);
    }
    if (services.desiredCount(resourceId) === undefined) {
      throw new ResourceFailure(`ValidationException: ECS service doesn't exist: ${resourceId}`);
    }
    targets.register({
      resourceId,
      min,
      max,
      suspended: {
        in: suspended?.DynamicScalingInSuspended ?? false,
        out: suspended?.DynamicScalingOutSuspended ?? false,
      },
    });
    const id = `${resourceId}|${DIMENSION}|ecs`;
    return { physicalId: id, attributes: { Id: id } };
  };
  return {
    type,
    source: `${DOCUMENTS}/aws-resource-applicationautoscaling-scalabletarget.html`,
    properties: Object.keys(targetSchema.shape),
    replaceOn: ['ResourceId', 'ScalableDimension', 'ServiceNamespace'],
    create: async (request) => put(request),
    update: async (request) => put(request),
    delete: async ({ physicalId }) => targets.deregister(resourceOf(physicalId)),
  };
}

/** `AWS::ApplicationAutoScaling::ScalingPolicy` for step scaling. */
export function scalingPolicyHandler(targets: ScalableTargets): ResourceHandler {
  const type = 'AWS::ApplicationAutoScaling::ScalingPolicy';
  const put = (request: ResourceRequest, arn: string | undefined): ResourceOutcome => {
    const given = readProperties(type, policySchema, request);
    const resourceId = given.ScalingTargetId === undefined ? given.ResourceId : resourceOf(given.ScalingTargetId);
    if (resourceId === undefined || !targets.has(resourceId)) {
      throw new ResourceFailure(
        `ObjectNotFoundException: No scalable target registered for service namespace: ecs, resource ID: ${resourceId}, scalable dimension: ${DIMENSION}`,
      );
    }
    const id = arn ?? arnOf(resourceId, given.PolicyName);
    targets.putPolicy(id, given.PolicyName, resourceId, given.StepScalingPolicyConfiguration);
    return { physicalId: id, attributes: { Arn: id, PolicyName: given.PolicyName } };
  };
  return {
    type,
    source: `${DOCUMENTS}/aws-resource-applicationautoscaling-scalingpolicy.html`,
    properties: Object.keys(policySchema.shape),
    replaceOn: ['PolicyName', 'ResourceId', 'ScalableDimension', 'ScalingTargetId', 'ServiceNamespace'],
    create: async (request) => put(request, undefined),
    update: async (request) => put(request, request.physicalId),
    delete: async ({ physicalId }) => targets.deletePolicy(physicalId),
  };
}

function resourceOf(targetId: string): string {
  return targetId.split('|')[0] ?? targetId;
}

function arnOf(resourceId: string, name: string): string {
  return `arn:aws:autoscaling:${REHEARSAL_REGION}:${REHEARSAL_ACCOUNT}:scalingPolicy:${randomUUID()}:resource/ecs/${resourceId}:policyName/${name}`;
}
