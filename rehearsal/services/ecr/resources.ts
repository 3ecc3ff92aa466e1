import { z } from 'zod';
import { physicalName } from '../../core/physical-name';
import type { IamPort } from '../../core/ports';
import { cfnBoolean, cfnPolicyDocument, cfnTags, readProperties } from '../../core/properties';
import {
  REHEARSAL_ACCOUNT,
  REHEARSAL_REGION,
  ResourceFailure,
  type ResourceHandler,
  type ResourceOutcome,
  type ResourceRequest,
} from '../../core/resource';

const repositorySchema = z.strictObject({
  EmptyOnDelete: cfnBoolean.optional(),
  EncryptionConfiguration: z.looseObject({}).optional(),
  ImageScanningConfiguration: z.looseObject({}).optional(),
  ImageTagMutability: z.enum(['IMMUTABLE', 'MUTABLE']).optional(),
  LifecyclePolicy: z.looseObject({}).optional(),
  RepositoryName: z.string().optional(),
  RepositoryPolicyText: cfnPolicyDocument.optional(),
  Tags: cfnTags.optional(),
});

const POLICY = 'repository policy';

/** `AWS::ECR::Repository`. It holds no images: the scenario names what its containers run. Its policy is evaluated. */
export function repositoryHandler(iam: IamPort): ResourceHandler {
  const type = 'AWS::ECR::Repository';
  const names = new Set<string>();
  const put = (request: ResourceRequest, name: string): ResourceOutcome => {
    const { RepositoryPolicyText: policy } = readProperties(type, repositorySchema, request);
    const arn = arnOf(name);
    if (policy === undefined) {
      iam.detachResourcePolicy(arn, POLICY);
    } else {
      // Repository policies name no resource: they hang on the one repository.
      iam.attachResourcePolicy(arn, POLICY, policy);
    }
    names.add(name);
    const uri = `${REHEARSAL_ACCOUNT}.dkr.ecr.${REHEARSAL_REGION}.amazonaws.com/${name}`;
    return { physicalId: name, attributes: { Arn: arn, RepositoryUri: uri } };
  };
  return {
    type,
    source: 'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecr-repository.html',
    properties: Object.keys(repositorySchema.shape),
    replaceOn: ['EncryptionConfiguration', 'RepositoryName'],
    create: async (request) => {
      const { RepositoryName } = readProperties(type, repositorySchema, request);
      const name =
        RepositoryName ?? physicalName(request.stack, request.logicalId, { maxLength: 256, lowerCase: true });
      if (names.has(name)) {
        throw new ResourceFailure(`RepositoryAlreadyExistsException: the repository ${name} exists already`);
      }
      return put(request, name);
    },
    update: async (request) => put(request, request.physicalId),
    delete: async ({ physicalId }) => {
      names.delete(physicalId);
      iam.detachResourcePolicy(arnOf(physicalId), POLICY);
    },
  };
}

function arnOf(name: string): string {
  return `arn:aws:ecr:${REHEARSAL_REGION}:${REHEARSAL_ACCOUNT}:repository/${name}`;
}
