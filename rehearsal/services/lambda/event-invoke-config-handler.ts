import { z } from 'zod';
import { cfnNumber, readProperties } from '../../core/properties';
import {
  type ResourceDeleteRequest,
  ResourceFailure,
  type ResourceHandler,
  type ResourceOutcome,
  type ResourceRequest,
  type ResourceUpdateRequest,
} from '../../core/resource';
import type { AsyncQueue } from './async-queue';
import type { Functions } from './functions';

const propertiesSchema = z.strictObject({
  FunctionName: z.string(),
  Qualifier: z.string(),
  MaximumEventAgeInSeconds: cfnNumber.pipe(z.number().int().min(60).max(21_600)).optional(),
  MaximumRetryAttempts: cfnNumber.pipe(z.number().int().min(0).max(2)).optional(),
});

/** `AWS::Lambda::EventInvokeConfig`: retries and age of asynchronous invocations. Destinations are not rehearsable. */
export class EventInvokeConfigHandler implements ResourceHandler {
  readonly #functions: Functions;
  readonly #queue: AsyncQueue;
  readonly type = 'AWS::Lambda::EventInvokeConfig';
  readonly source =
    'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-eventinvokeconfig.html';
  readonly properties = Object.keys(propertiesSchema.shape);
  readonly replaceOn = ['FunctionName', 'Qualifier'];

  constructor(functions: Functions, queue: AsyncQueue) {
    this.#functions = functions;
    this.#queue = queue;
  }

  async create(request: ResourceRequest): Promise<ResourceOutcome> {
    const { FunctionName, Qualifier } = readProperties(this.type, propertiesSchema, request);
    this.#functions.resolve(FunctionName, Qualifier);
    if (this.#queue.configured(FunctionName, Qualifier)) {
      throw new ResourceFailure(
        `The function ${FunctionName}:${Qualifier} already has an EventInvokeConfig. Please update or delete the existing one.`,
      );
    }
    return this.#put(request, `${FunctionName}|${Qualifier}`);
  }

  async update(request: ResourceUpdateRequest): Promise<ResourceOutcome> {
    return this.#put(request, request.physicalId);
  }

  async delete(request: ResourceDeleteRequest): Promise<void> {
    const { FunctionName, Qualifier } = request.properties;
    this.#queue.configure(String(FunctionName), String(Qualifier), undefined);
  }

  #put(request: ResourceRequest, physicalId: string): ResourceOutcome {
    const properties = readProperties(this.type, propertiesSchema, request);
    this.#queue.configure(properties.FunctionName, properties.Qualifier, {
      maximumRetries: properties.MaximumRetryAttempts,
      maximumAgeSeconds: properties.MaximumEventAgeInSeconds,
    });
    return { physicalId, attributes: {} };
  }
}
