import { z } from 'zod';
import { physicalName } from '../../core/physical-name';
import type { IamPort } from '../../core/ports';
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
  Action: z.string().startsWith('lambda:'),
  FunctionName: z.string(),
  Principal: z.string(),
  SourceAccount: z.string().optional(),
  SourceArn: z.string().optional(),
});

/** `AWS::Lambda::Permission`: one statement in the resource policy of a function, a version or an alias. */
export class PermissionHandler implements ResourceHandler {
  readonly #functions: Functions;
  readonly #iam: IamPort;
  readonly type = 'AWS::Lambda::Permission';
  readonly source =
    'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-permission.html';
  readonly properties = Object.keys(propertiesSchema.shape);
  readonly replaceOn = Object.keys(propertiesSchema.shape);

  constructor(functions: Functions, iam: IamPort) {
    this.#functions = functions;
    this.#iam = iam;
  }

  async create(request: ResourceRequest): Promise<ResourceOutcome> {
    const properties = readProperties(this.type, propertiesSchema, request);
    const reference = parseFunction(properties.FunctionName);
    if (reference === undefined) {
      throw new ResourceFailure(`${request.path}: FunctionName: got "${properties.FunctionName}", expected a function`);
    }
    const { arn } = this.#functions.resolve(reference.name, reference.qualifier);
    const id = physicalName(request.stack, request.logicalId, { maxLength: 100 });
    const conditions = {
      ...(properties.SourceArn === undefined ? {} : { ArnLike: { 'aws:SourceArn': properties.SourceArn } }),
      ...(properties.SourceAccount === undefined
        ? {}
        : { StringEquals: { 'aws:SourceAccount': properties.SourceAccount } }),
    };
    this.#iam.attachResourcePolicy(arn, id, {
      Version: '2012-10-17',
      Statement: [
        {
          Sid: id,
          Effect: 'Allow',
          Principal: properties.Principal.endsWith('.amazonaws.com')
            ? { Service: properties.Principal }
            : { AWS: properties.Principal },
          Action: properties.Action,
          Resource: arn,
          ...(Object.keys(conditions).length === 0 ? {} : { Condition: conditions }),
        },
      ],
    });
    return { physicalId: id, attributes: { Id: id } };
  }

  async update(request: ResourceUpdateRequest): Promise<ResourceOutcome> {
    return { physicalId: request.physicalId, attributes: { Id: request.physicalId } };
  }

  async delete(request: ResourceDeleteRequest): Promise<void> {
    const reference = parseFunction(String(request.properties.FunctionName));
    if (reference !== undefined) {
      this.#iam.detachResourcePolicy(functionArn(reference.name, reference.qualifier), request.physicalId);
    }
  }
}
