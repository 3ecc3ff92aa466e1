import { z } from 'zod';
import { readProperties } from '../../core/properties';
import {
  type ResourceDeleteRequest,
  ResourceFailure,
  type ResourceHandler,
  type ResourceOutcome,
  type ResourceRequest,
  type ResourceUpdateRequest,
} from '../../core/resource';
import { functionArn, parseFunction } from './arn';
import type { Functions } from './functions';

const propertiesSchema = z.strictObject({
  FunctionName: z.string(),
  CodeSha256: z.string().optional(),
  Description: z.string().max(256).optional(),
});

/** `AWS::Lambda::Version`: publishes `$LATEST`; refused when there is nothing new to publish. */
export class VersionHandler implements ResourceHandler {
  readonly #functions: Functions;
  readonly type = 'AWS::Lambda::Version';
  readonly source =
    'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-version.html';
  readonly properties = Object.keys(propertiesSchema.shape);
  readonly replaceOn = ['FunctionName', 'CodeSha256', 'Description'];

  constructor(functions: Functions) {
    this.#functions = functions;
  }

  async create(request: ResourceRequest): Promise<ResourceOutcome> {
    const properties = readProperties(this.type, propertiesSchema, request);
    const name = parseFunction(properties.FunctionName)?.name ?? properties.FunctionName;
    const latest = this.#functions.resolve(name, undefined).version;
    if (properties.CodeSha256 !== undefined && properties.CodeSha256 !== latest.settings.code.sha256) {
      throw new ResourceFailure(
        `CodeSHA256 (${properties.CodeSha256}) is different from current CodeSHA256 in $LATEST (${latest.settings.code.sha256}). Please try again with the CodeSHA256 in $LATEST.`,
      );
    }
    const { version, existed } = this.#functions.publish(name, properties.Description ?? '', request.stack.clock.now());
    if (existed) {
      throw new ResourceFailure(
        `A version for this Lambda function exists ( ${version.version} ). Modify the function to create a new version.`,
      );
    }
    return outcome(functionArn(name, version.version), version.version);
  }

  async update(request: ResourceUpdateRequest): Promise<ResourceOutcome> {
    return outcome(request.physicalId, parseFunction(request.physicalId)?.qualifier ?? '');
  }

  async delete(request: ResourceDeleteRequest): Promise<void> {
    const reference = parseFunction(request.physicalId);
    if (reference?.qualifier !== undefined) {
      this.#functions.deleteVersion(reference.name, reference.qualifier);
    }
  }
}

function outcome(arn: string, version: string): ResourceOutcome {
  return { physicalId: arn, attributes: { FunctionArn: arn, Version: version } };
}
