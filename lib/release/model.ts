import { Duration, Token } from 'aws-cdk-lib';
import { laneError } from '../common';
import { type ModelSettings, modelSchema } from '../contract';

/** What the provider charges, in US dollars. Part of the release, so that costs of different releases compare. */
export interface ModelPrice {
  /** For a million tokens sent. */
  readonly inputPerMillion: number;
  /** For a million tokens received. */
  readonly outputPerMillion: number;
}

export interface AnthropicModelProps {
  readonly price: ModelPrice;
  /** Longest answer, in tokens. @default 4096 */
  readonly maxTokens?: number;
  /** 0 to 1. @default the provider's */
  readonly temperature?: number;
  /** For one call. @default 60 seconds */
  readonly timeout?: Duration;
  /** Name, as handed to the service, of the secret that holds the API key. @default anthropic */
  readonly secretName?: string;
}

/** Where Anthropic says which of its ids are pinned. */
const MODEL_IDS = 'https://platform.claude.com/docs/en/about-claude/models/model-ids-and-versions';

/** First generation whose ids are pinned without a date. */
const FIRST_DATELESS = { major: 4, minor: 6 };

/** A date that exists, at the end of the id. */
function endsInDate(id: string): boolean {
  const match = /-(\d{4})(\d{2})(\d{2})$/.exec(id);
  if (match === null) {
    return false;
  }
  const [, year, month, day] = match.map(Number) as [number, number, number, number];
  const date = new Date(Date.UTC(year, month - 1, day));
  return year >= 2023 && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

/** `claude-<name>-<major>[-<minor>]` from the 4.6 generation on. */
function isDatelessSnapshot(id: string): boolean {
  const match = /^claude-[a-z]+-(\d{1,2})(?:-(\d{1,2}))?$/.exec(id);
  if (match === null) {
    return false;
  }
  const major = Number(match[1]);
  const minor = Number(match[2] ?? 0);
  return major > FIRST_DATELESS.major || (major === FIRST_DATELESS.major && minor >= FIRST_DATELESS.minor);
}

/** A model pinned to one snapshot: the same id means the same model for as long as the release exists. */
export class Model {
  /**
   * A model of the Anthropic Messages API.
   *
   * @param pinnedId an id with a date (`…-YYYYMMDD`), or one without from the 4.6 generation on, which Anthropic
   * documents as pinned. Aliases that move (`…-latest`, and dateless ids of earlier generations) are refused.
   */
  static anthropic(pinnedId: string, props: AnthropicModelProps): Model {
    if (Token.isUnresolved(pinnedId)) {
      throw laneError(
        undefined,
        'UnresolvedModel',
        `model id is a token (${pinnedId}): expected a concrete id, known at synth, for the release id is derived from it; write the id into the app or read it from a file`,
      );
    }
    if (
      /latest/.test(pinnedId) ||
      !(/^claude-[a-z0-9-]+$/.test(pinnedId) && (endsInDate(pinnedId) || isDatelessSnapshot(pinnedId)))
    ) {
      throw laneError(
        undefined,
        'FloatingModel',
        `model id "${pinnedId}" is not pinned: expected an id with a date like claude-haiku-4-5-20251001, or one without from generation 4.6 on like claude-sonnet-4-6 (${MODEL_IDS}); anything else may be another model tomorrow; use the id of the snapshot that you tested`,
      );
    }
    const timeout = props.timeout ?? Duration.seconds(60);
    refuseTokens(pinnedId, {
      'price.inputPerMillion': props.price.inputPerMillion,
      'price.outputPerMillion': props.price.outputPerMillion,
      maxTokens: props.maxTokens,
      temperature: props.temperature,
      timeout: timeout.isUnresolved() ? timeout.toString() : undefined,
      secretName: props.secretName,
    });
    const settings = modelSchema.safeParse({
      provider: 'anthropic',
      id: pinnedId,
      secret: props.secretName ?? 'anthropic',
      maxTokens: props.maxTokens ?? 4096,
      ...(props.temperature === undefined ? {} : { temperature: props.temperature }),
      timeoutMs: timeout.toMilliseconds(),
      price: { inputPerMillion: props.price.inputPerMillion, outputPerMillion: props.price.outputPerMillion },
    });
    if (!settings.success) {
      const issues = settings.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
      throw laneError(
        undefined,
        'InvalidModel',
        `settings of model "${pinnedId}" are not valid: ${issues}; correct the props of Model.anthropic`,
      );
    }
    return new Model(settings.data);
  }

  /** Pinned id. */
  readonly modelId: string;
  /** Name of the secret that holds the API key. Undefined: the model needs none. */
  readonly secretName?: string;
  /** @internal */
  readonly _settings: ModelSettings;

  private constructor(settings: ModelSettings) {
    this.modelId = settings.id;
    if (settings.secret !== undefined) {
      this.secretName = settings.secret;
    }
    this._settings = settings;
  }
}

function refuseTokens(id: string, values: { [name: string]: unknown }): void {
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && (Token.isUnresolved(value) || name === 'timeout')) {
      throw laneError(
        undefined,
        'UnresolvedModel',
        `${name} of model "${id}" is a token (${String(value)}): expected a concrete value, known at synth, for it is part of the release; write the value into the app`,
      );
    }
  }
}
