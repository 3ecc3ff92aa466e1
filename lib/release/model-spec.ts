import { ArnFormat, Duration, Stack, Token } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { acknowledgeWildcard, laneError } from '../common';
import { type ModelSettings, modelSchema } from '../contract';
import { checkAnthropicId, checkBedrockId, checkCompatibleId, checkOpenAiId, profiledModel } from './model-ids';
import type {
  AnthropicModelOptions,
  BedrockModelOptions,
  ModelOptions,
  OpenAiCompatibleModelOptions,
  OpenAiModelOptions,
} from './model-options';
import { INVOKE_MODEL_ACTIONS } from './perms';

/** Settings that only some providers have, and the name of the factory for messages. */
interface Kind extends Pick<ModelSettings, 'provider' | 'secret' | 'baseUrl' | 'region'> {
  readonly factory: string;
}

/** A model pinned to one snapshot: the same id means the same model for as long as the release exists. */
export class ModelSpec {
  /**
   * A model of Amazon Bedrock. It needs no secret: the worker's role may call it.
   *
   * @param pinnedId of a model (`amazon.nova-pro-v1:0`) or of a cross-region inference profile
   * (`eu.anthropic.claude-sonnet-4-5-20250929-v1:0`), with its version. ARNs are refused: they name an account, and the
   * release must be the same in every account.
   */
  static bedrock(pinnedId: string, options: BedrockModelOptions): ModelSpec {
    checkBedrockId(pinnedId);
    refuseTokens(pinnedId, { region: options.region });
    return new ModelSpec(pinnedId, options, {
      factory: 'ModelSpec.bedrock',
      provider: 'bedrock',
      region: options.region,
    });
  }

  /**
   * A model of the Anthropic Messages API.
   *
   * @param pinnedId an id with a date (`…-YYYYMMDD`), or one without from the 4.6 generation on, which Anthropic
   * documents as pinned. Aliases that change (`…-latest`, and dateless ids of earlier generations) are refused.
   */
  static anthropic(pinnedId: string, options: AnthropicModelOptions): ModelSpec {
    checkAnthropicId(pinnedId);
    refuseTokens(pinnedId, { secretName: options.secretName });
    return new ModelSpec(pinnedId, options, {
      factory: 'ModelSpec.anthropic',
      provider: 'anthropic',
      secret: options.secretName ?? 'anthropic',
    });
  }

  /**
   * A model of OpenAI's Chat Completions API.
   *
   * @param pinnedId an id with a date (`…-YYYY-MM-DD`), or a model fine-tuned on one (`ft:…`). Aliases that change are refused.
   */
  static openAi(pinnedId: string, options: OpenAiModelOptions): ModelSpec {
    checkOpenAiId(pinnedId);
    refuseTokens(pinnedId, { secretName: options.secretName });
    return new ModelSpec(pinnedId, options, {
      factory: 'ModelSpec.openAi',
      provider: 'openai',
      secret: options.secretName ?? 'openai',
    });
  }

  /**
   * A model behind any endpoint with OpenAI's Chat Completions API.
   *
   * @param pinnedId id of the model at the endpoint. The operator of the endpoint must keep the same model behind it.
   */
  static openAiCompatible(pinnedId: string, options: OpenAiCompatibleModelOptions): ModelSpec {
    checkCompatibleId(pinnedId);
    refuseTokens(pinnedId, { baseUrl: options.baseUrl, secretName: options.secretName });
    if (options.secretName !== undefined && !/^https:/i.test(options.baseUrl)) {
      throw laneError(
        undefined,
        'InsecureModelEndpoint',
        `baseUrl of model "${pinnedId}" is ${options.baseUrl}, and its key is in the secret "${options.secretName}": expected https, for the key would be sent unencrypted; use https, or leave secretName out if the endpoint needs no key`,
      );
    }
    return new ModelSpec(pinnedId, options, {
      factory: 'ModelSpec.openAiCompatible',
      provider: 'openai_compatible',
      baseUrl: options.baseUrl,
      secret: options.secretName,
    });
  }

  /** Pinned id. */
  readonly modelId: string;
  /** Name of the secret with the API key; undefined for a model without a key. */
  readonly secretName?: string;
  /** @internal */
  readonly _settings: ModelSettings;

  private constructor(id: string, options: ModelOptions, { factory, ...kind }: Kind) {
    const timeout = options.timeout ?? Duration.seconds(60);
    refuseTokens(id, {
      'price.inputPerMillion': options.price.inputPerMillion,
      'price.outputPerMillion': options.price.outputPerMillion,
      maxTokens: options.maxTokens,
      temperature: options.temperature,
      timeout: timeout.isUnresolved() ? timeout.toString() : undefined,
    });
    const settings = modelSchema.safeParse({
      ...kind,
      id,
      maxTokens: options.maxTokens ?? 4096,
      ...(options.temperature === undefined ? {} : { temperature: options.temperature }),
      timeoutMs: timeout.toMilliseconds(),
      price: { inputPerMillion: options.price.inputPerMillion, outputPerMillion: options.price.outputPerMillion },
    });
    if (!settings.success) {
      const issues = settings.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
      throw laneError(
        undefined,
        'InvalidModel',
        `settings of model "${id}" are not valid: ${issues}; correct the options of ${factory}`,
      );
    }
    this._settings = settings.data;
    this.modelId = id;
    if (settings.data.secret !== undefined) {
      this.secretName = settings.data.secret;
    }
  }

  /**
   * Lets a role call the model if it is one of Bedrock; other models need no grant. The service calls this for the models
   * of its release. Call it yourself for the model that the new release no longer uses: the versions of a worker share one
   * role, and the stable version still calls the former model during the rollout.
   */
  grantInvoke(scope: Construct, grantee: iam.IGrantable): void {
    const { provider, id, region } = this._settings;
    if (provider !== 'bedrock') {
      return;
    }
    const stack = Stack.of(scope);
    const model = (modelId: string, at: string) =>
      stack.formatArn({
        service: 'bedrock',
        region: at,
        account: '',
        resource: 'foundation-model',
        resourceName: modelId,
        arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
      });
    const behind = profiledModel(id);
    if (behind === undefined) {
      iam.Grant.addToPrincipal({
        grantee,
        actions: INVOKE_MODEL_ACTIONS,
        resourceArns: [model(id, region ?? stack.region)],
      });
      return;
    }
    const profile = stack.formatArn({
      service: 'bedrock',
      region: region ?? stack.region,
      resource: 'inference-profile',
      resourceName: id,
      arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
    });
    iam.Grant.addToPrincipal({ grantee, actions: INVOKE_MODEL_ACTIONS, resourceArns: [profile] });
    // https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-prereq.html
    const anywhere = model(behind, '*');
    iam.Grant.addToPrincipal({
      grantee,
      actions: INVOKE_MODEL_ACTIONS,
      resourceArns: [anywhere],
      conditions: { StringEquals: { 'bedrock:InferenceProfileArn': profile } },
    });
    if (Construct.isConstruct(grantee.grantPrincipal)) {
      acknowledgeWildcard(
        grantee.grantPrincipal,
        anywhere,
        'Bedrock chooses the region behind a cross-region inference profile; the condition allows the model through this one profile alone',
      );
    }
  }
}

function refuseTokens(id: string, values: { [name: string]: unknown }): void {
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && (Token.isUnresolved(value) || name === 'timeout')) {
      throw laneError(
        undefined,
        'UnresolvedModel',
        `${name} of model "${id}" is a token (${String(value)}): expected a concrete value, known at synth, for it is part of the release; use a literal`,
      );
    }
  }
}
