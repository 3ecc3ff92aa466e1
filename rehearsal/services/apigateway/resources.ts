import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { cfnBoolean, cfnNumber, readProperties } from '../../core/properties';
import {
  type ResourceDeleteRequest,
  ResourceFailure,
  type ResourceHandler,
  type ResourceOutcome,
  type ResourceRequest,
  type ResourceUpdateRequest,
} from '../../core/resource';
import { logGroupOf } from './access-log';
import type { Apis } from './apis';
import type { Api } from './model';

const DOCUMENTS = 'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigatewayv2';

/** Requests a second and at once that an account is allowed, where a stage says nothing. */
const ACCOUNT_THROTTLE = { rate: 10_000, burst: 5000 };

const tags = z.record(z.string(), z.string());

const apiSchema = z.strictObject({
  Name: z.string(),
  ProtocolType: z.literal('HTTP'),
  Description: z.string().optional(),
  DisableExecuteApiEndpoint: cfnBoolean.optional(),
  Tags: tags.optional(),
});

/** `AWS::ApiGatewayV2::Api`, HTTP APIs. `ApiEndpoint` is its URL on the API server. */
export function apiHandler(apis: Apis): ResourceHandler {
  const type = 'AWS::ApiGatewayV2::Api';
  const outcome = (id: string): ResourceOutcome => ({
    physicalId: id,
    attributes: { ApiId: id, ApiEndpoint: apis.endpointOf(id) },
  });
  const check = (request: ResourceRequest) => {
    if (readProperties(type, apiSchema, request).DisableExecuteApiEndpoint === true) {
      throw new ResourceFailure(`not rehearsable: ${type} at ${request.path}: without its default endpoint`);
    }
  };
  return {
    type,
    source: `${DOCUMENTS}-api.html`,
    properties: Object.keys(apiSchema.shape),
    replaceOn: ['ProtocolType'],
    create: async (request) => {
      check(request);
      return outcome(apis.create().id);
    },
    update: async (request) => {
      check(request);
      return outcome(request.physicalId);
    },
    delete: async ({ physicalId }) => apis.delete(physicalId),
  };
}

const stageSchema = z.strictObject({
  ApiId: z.string(),
  StageName: z.string(),
  AutoDeploy: cfnBoolean.optional(),
  Description: z.string().optional(),
  AccessLogSettings: z.strictObject({ DestinationArn: z.string(), Format: z.string() }).optional(),
  DefaultRouteSettings: z
    .strictObject({
      ThrottlingBurstLimit: cfnNumber.optional(),
      ThrottlingRateLimit: cfnNumber.optional(),
      DetailedMetricsEnabled: cfnBoolean.optional(),
    })
    .optional(),
  StageVariables: z.record(z.string(), z.string()).optional(),
  Tags: tags.optional(),
});

/** `AWS::ApiGatewayV2::Stage`, only with automatic deployment: changes of the API take effect at once. */
export function stageHandler(apis: Apis): ResourceHandler {
  const type = 'AWS::ApiGatewayV2::Stage';
  const put = (request: ResourceRequest): ResourceOutcome => {
    const properties = readProperties(type, stageSchema, request);
    if (properties.AutoDeploy !== true) {
      throw new ResourceFailure(`not rehearsable: ${type} at ${request.path}: AutoDeploy: expected true`);
    }
    const { AccessLogSettings: access, DefaultRouteSettings: settings } = properties;
    const group = access === undefined ? undefined : logGroupOf(access.DestinationArn);
    if (access !== undefined && group === undefined) {
      throw new ResourceFailure(
        `not rehearsable: ${type} at ${request.path}: AccessLogSettings.DestinationArn: got "${access.DestinationArn}", expected a log group`,
      );
    }
    apis.get(properties.ApiId).stages.set(properties.StageName, {
      name: properties.StageName,
      variables: properties.StageVariables,
      accessLog: access === undefined || group === undefined ? undefined : { group, format: access.Format },
      throttle: {
        rate: settings?.ThrottlingRateLimit ?? ACCOUNT_THROTTLE.rate,
        burst: settings?.ThrottlingBurstLimit ?? ACCOUNT_THROTTLE.burst,
      },
    });
    return { physicalId: properties.StageName, attributes: {} };
  };
  return {
    type,
    source: `${DOCUMENTS}-stage.html`,
    properties: Object.keys(stageSchema.shape),
    replaceOn: ['ApiId', 'StageName'],
    create: async (request) => {
      const { ApiId, StageName } = readProperties(type, stageSchema, request);
      if (apis.get(ApiId).stages.has(StageName)) {
        throw new ResourceFailure(`Stage already exists: ${StageName}`);
      }
      return put(request);
    },
    update: async (request) => put(request),
    delete: async (request) => {
      apis.find(String(request.properties.ApiId))?.stages.delete(request.physicalId);
    },
  };
}

const routeSchema = z.strictObject({
  ApiId: z.string(),
  RouteKey: z.string().regex(/^(\$default|(ANY|GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) \/\S*)$/),
  Target: z.string().regex(/^integrations\/\S+$/, 'expected integrations/ID'),
  AuthorizationType: z.enum(['NONE', 'AWS_IAM', 'JWT']).optional(),
  AuthorizerId: z.string().optional(),
  AuthorizationScopes: z.array(z.string()).optional(),
  OperationName: z.string().optional(),
});

/** `AWS::ApiGatewayV2::Route`. */
export function routeHandler(apis: Apis): ResourceHandler {
  return memberHandler({
    type: 'AWS::ApiGatewayV2::Route',
    document: 'route',
    schema: routeSchema,
    properties: Object.keys(routeSchema.shape),
    apis,
    put: (api, id, properties) => {
      for (const [otherId, other] of api.routes) {
        if (otherId !== id && other.key === properties.RouteKey) {
          throw new ResourceFailure(`Route with key ${properties.RouteKey} already exists for this API`);
        }
      }
      const integrationId = properties.Target.slice('integrations/'.length);
      if (!api.integrations.has(integrationId)) {
        throw new ResourceFailure(`Invalid target specified for route: integration ${integrationId} not found`);
      }
      const authorization = properties.AuthorizationType ?? 'NONE';
      if (authorization === 'JWT' && !api.authorizers.has(properties.AuthorizerId ?? '')) {
        throw new ResourceFailure(`Invalid authorizer ID specified: ${properties.AuthorizerId}`);
      }
      api.routes.set(id, {
        key: properties.RouteKey,
        integrationId,
        authorization,
        authorizerId: properties.AuthorizerId,
        scopes: properties.AuthorizationScopes ?? [],
      });
      return { physicalId: id, attributes: { RouteId: id } };
    },
    remove: (api, id) => api.routes.delete(id),
  });
}

const integrationSchema = z.strictObject({
  ApiId: z.string(),
  IntegrationType: z.literal('AWS_PROXY'),
  IntegrationUri: z
    .string()
    .transform((uri) => /functions\/(arn:.+)\/invocations$/.exec(uri)?.[1] ?? uri)
    .pipe(z.string().regex(/^arn:[^:]+:lambda:/, 'expected the ARN of a function')),
  IntegrationMethod: z.string().optional(),
  PayloadFormatVersion: z.literal('2.0'),
  TimeoutInMillis: cfnNumber.pipe(z.number().int().min(50).max(30_000)).optional(),
  Description: z.string().optional(),
});

/** `AWS::ApiGatewayV2::Integration` with a Lambda function, payload format 2.0. */
export function integrationHandler(apis: Apis): ResourceHandler {
  return memberHandler({
    type: 'AWS::ApiGatewayV2::Integration',
    document: 'integration',
    schema: integrationSchema,
    properties: Object.keys(integrationSchema.shape),
    apis,
    put: (api, id, { IntegrationUri, TimeoutInMillis }) => {
      api.integrations.set(id, { functionArn: IntegrationUri, timeoutMs: TimeoutInMillis ?? 30_000 });
      return { physicalId: id, attributes: { IntegrationId: id } };
    },
    remove: (api, id) => api.integrations.delete(id),
  });
}

const authorizerSchema = z.strictObject({
  ApiId: z.string(),
  AuthorizerType: z.literal('JWT'),
  IdentitySource: z.array(z.string().regex(/^\$request\.(header|querystring)\.\S+$/)).min(1),
  JwtConfiguration: z.strictObject({ Audience: z.array(z.string()).min(1), Issuer: z.string() }),
  Name: z.string(),
});

/** `AWS::ApiGatewayV2::Authorizer`, JWT. See `checkJwt` for the checks of a token. */
export function authorizerHandler(apis: Apis): ResourceHandler {
  return memberHandler({
    type: 'AWS::ApiGatewayV2::Authorizer',
    document: 'authorizer',
    schema: authorizerSchema,
    properties: Object.keys(authorizerSchema.shape),
    apis,
    put: (api, id, { IdentitySource, JwtConfiguration }) => {
      api.authorizers.set(id, {
        issuer: JwtConfiguration.Issuer,
        audience: JwtConfiguration.Audience,
        identitySources: IdentitySource,
      });
      return { physicalId: id, attributes: { AuthorizerId: id } };
    },
    remove: (api, id) => api.authorizers.delete(id),
  });
}

interface MemberProps<T extends { readonly ApiId: string }> {
  readonly type: string;
  /** Last word of the document's name. */
  readonly document: string;
  readonly schema: z.ZodType<T>;
  readonly properties: readonly string[];
  readonly apis: Apis;
  readonly put: (api: Api, id: string, properties: T) => ResourceOutcome;
  readonly remove: (api: Api, id: string) => void;
}

/** Routes, integrations and authorizers: parts of an API with an id of their own. */
function memberHandler<T extends { readonly ApiId: string }>(props: MemberProps<T>): ResourceHandler {
  const { type, apis } = props;
  const put = (request: ResourceRequest, id: string): ResourceOutcome => {
    const properties = readProperties(type, props.schema, request);
    return props.put(apis.get(properties.ApiId), id, properties);
  };
  return {
    type,
    source: `${DOCUMENTS}-${props.document}.html`,
    properties: props.properties,
    replaceOn: ['ApiId'],
    create: async (request: ResourceRequest) => put(request, randomBytes(4).toString('hex')),
    update: async (request: ResourceUpdateRequest) => put(request, request.physicalId),
    delete: async ({ physicalId, properties }: ResourceDeleteRequest) => {
      const api = apis.find(String(properties.ApiId));
      if (api !== undefined) {
        props.remove(api, physicalId);
      }
    },
  };
}
