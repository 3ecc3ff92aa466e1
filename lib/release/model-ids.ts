import { Token } from 'aws-cdk-lib';
import { laneError } from '../common';

/** Anthropic's page on pinned ids. */
const ANTHROPIC_IDS = 'https://platform.claude.com/docs/en/about-claude/models/model-ids-and-versions';

/** OpenAI's page on snapshots. */
const OPENAI_IDS = 'https://developers.openai.com/api/docs/models';

/** AWS's list of the ids of models and of inference profiles. */
const BEDROCK_IDS = 'https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html';

/** First generation whose Anthropic ids are pinned without a date. */
const FIRST_DATELESS = { major: 4, minor: 6 };

/** Geographies before the id of a model in the id of a cross-region inference profile. */
const PROFILE_ID = /^(?:[a-z]{2,6}|us-gov)\.(?=[a-z][a-z0-9]*\.)(.+)$/;

/** A date that exists. */
function isDate(year: number, month: number, day: number): boolean {
  const date = new Date(Date.UTC(year, month - 1, day));
  return year >= 2023 && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

/** Whether the pattern matches, and its three groups are a date. */
function hasDate(id: string, pattern: RegExp): boolean {
  const match = pattern.exec(id);
  return match !== null && isDate(Number(match[1]), Number(match[2]), Number(match[3]));
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

function refuse(id: string, expected: string): never {
  throw laneError(
    undefined,
    'UnpinnedModel',
    `model id "${id}" is not pinned: expected ${expected}; any other id may mean another model later; use the id of the snapshot that you tested`,
  );
}

function checkResolved(id: string): void {
  if (Token.isUnresolved(id)) {
    throw laneError(
      undefined,
      'UnresolvedModel',
      `model id is a token (${id}): expected a concrete id, for the release id is derived from it; use a literal or read it from a file`,
    );
  }
}

export function checkAnthropicId(id: string): void {
  checkResolved(id);
  const dated = hasDate(id, /-(\d{4})(\d{2})(\d{2})$/);
  if (/latest/.test(id) || !(/^claude-[a-z0-9-]+$/.test(id) && (dated || isDatelessSnapshot(id)))) {
    refuse(
      id,
      `an id with a date like claude-haiku-4-5-20251001, or one without from generation 4.6 on like claude-sonnet-4-6 (${ANTHROPIC_IDS})`,
    );
  }
}

/** A snapshot, or a model that was tuned on one. */
export function checkOpenAiId(id: string): void {
  checkResolved(id);
  const base = /^ft:([^:]+):[\w-]*:[\w-]*:[\w-]+$/.exec(id)?.[1] ?? id;
  if (!/^[a-z0-9][a-z0-9.-]*$/.test(base) || !hasDate(base, /-(\d{4})-(\d{2})-(\d{2})$/)) {
    refuse(id, `an id with a date like gpt-5-mini-2025-08-07 (${OPENAI_IDS})`);
  }
}

/** A model, or a cross-region inference profile, with the version that AWS puts at the end of their ids. */
export function checkBedrockId(id: string): void {
  checkResolved(id);
  if (!/^[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)+-(?:v\d+(?::\d+)?|\d+:\d+)$/.test(id)) {
    refuse(
      id,
      `the id of a model or of a cross-region inference profile with its version, like amazon.nova-pro-v1:0 or eu.anthropic.claude-sonnet-4-5-20250929-v1:0 (${BEDROCK_IDS})`,
    );
  }
}

/** Id of the model behind an inference profile; undefined for the id of a model. */
export function profiledModel(id: string): string | undefined {
  return PROFILE_ID.exec(id)?.[1];
}

/** Only the endpoint knows which model an id means: refused are ids that say that they change. */
export function checkCompatibleId(id: string): void {
  checkResolved(id);
  if (id.trim() === '' || /(?:^|[^a-z])latest(?:$|[^a-z])/i.test(id)) {
    refuse(id, 'the id under which your endpoint serves one version of one model, like qwen3-32b-2025-04-28');
  }
}
