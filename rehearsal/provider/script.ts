import { sha256 } from '../../lib/contract';
import { type Random, seededRandom } from '../core/random';
import { CHARACTERS_PER_TOKEN, estimateTokens, type ScriptedRequest } from './request';
import type { ErrorStatus, Latency, ProviderRule, TextMatch, Tokens } from './rules';

/** Decision of the script for one request. `latencyMs` is in real milliseconds. */
export type ScriptedOutcome =
  | {
      readonly kind: 'answer';
      readonly rule: string;
      readonly latencyMs: number;
      readonly text: string;
      readonly stopReason: 'end_turn' | 'max_tokens' | 'refusal';
      readonly inputTokens: number;
      readonly outputTokens: number;
      readonly malformed: boolean;
    }
  | {
      readonly kind: 'error';
      readonly rule: string;
      readonly latencyMs: number;
      readonly status: ErrorStatus;
      readonly retryAfterSeconds: number | undefined;
    }
  | { readonly kind: 'timeout'; readonly rule: string }
  | { readonly kind: 'unmatched' };

/** Requests of a rule by outcome. */
export interface RuleCount {
  readonly rule: string;
  readonly requests: number;
  readonly answers: number;
  readonly errors: number;
  readonly timeouts: number;
  readonly refusals: number;
  readonly malformed: number;
}

type Tally = { -readonly [K in keyof RuleCount]: RuleCount[K] };

const DEFAULT_LATENCY_MS = 20;

/**
 * The script of the provider: decides the outcome of a request by rules and a seeded random generator. The n-th request with the
 * same content has the same outcome for the same seed, independent of the order of other requests.
 */
export class ProviderScript {
  readonly #seen = new Map<string, number>();
  readonly #tally = new Map<string, Tally>();
  #unmatchedRequests = 0;
  /** Number of requests over all rules. */
  #requests = 0;

  readonly #rules: readonly ProviderRule[];
  readonly #seed: number;

  constructor(rules: readonly ProviderRule[], seed: number) {
    this.#rules = rules;
    this.#seed = seed;
    for (const rule of rules) {
      this.#tally.set(rule.name, emptyCount(rule.name));
    }
  }

  decide(request: ScriptedRequest): ScriptedOutcome {
    this.#requests += 1;
    for (const rule of this.#rules) {
      const groups = matches(rule, request);
      if (groups !== undefined) {
        return this.#answer(rule, groups, request);
      }
    }
    this.#unmatchedRequests += 1;
    return { kind: 'unmatched' };
  }

  /** One entry per rule, in the order of the rules. */
  counts(): readonly RuleCount[] {
    return [...this.#tally.values()].map((count) => ({ ...count }));
  }

  /** Number of requests that no rule matched. */
  unmatched(): number {
    return this.#unmatchedRequests;
  }

  #answer(rule: ProviderRule, groups: readonly string[], request: ScriptedRequest): ScriptedOutcome {
    const random = this.#randomFor(rule, request);
    const count = this.#tally.get(rule.name) ?? emptyCount(rule.name);
    this.#tally.set(rule.name, count);
    count.requests += 1;

    const latencyMs = pickLatency(rule.answer?.latencyMs ?? DEFAULT_LATENCY_MS, random);
    let chance = random();
    for (const error of rule.errors ?? []) {
      if (error.during !== undefined && (this.#requests < error.during.from || this.#requests >= error.during.to)) {
        continue;
      }
      if (chance < error.rate) {
        count.errors += 1;
        const retryAfterSeconds = error.retryAfterSeconds ?? (error.status === 429 ? 1 : undefined);
        return { kind: 'error', rule: rule.name, latencyMs, status: error.status, retryAfterSeconds };
      }
      chance -= error.rate;
    }
    if (chance < (rule.timeoutRate ?? 0)) {
      count.timeouts += 1;
      return { kind: 'timeout', rule: rule.name };
    }
    chance -= rule.timeoutRate ?? 0;

    const refused = chance < (rule.refusalRate ?? 0);
    chance -= rule.refusalRate ?? 0;
    const malformed = !refused && chance < (rule.malformed?.rate ?? 0);
    count.answers += 1;
    count.refusals += refused ? 1 : 0;
    count.malformed += malformed ? 1 : 0;

    const good = fill(rule.answer?.text ?? 'ok', { model: request.model, count: String(count.requests) }, groups);
    const broken = rule.malformed?.text ?? good.slice(0, Math.floor(good.length / 2));
    const text = refused ? '' : malformed ? broken : good;
    const inputTokens = pickTokens(rule.answer?.inputTokens, `${request.system}${request.messages}`, random);
    const outputTokens = refused ? 0 : pickTokens(rule.answer?.outputTokens, text, random);
    const isTruncated = outputTokens > request.maxTokens;
    return {
      kind: 'answer',
      rule: rule.name,
      latencyMs,
      text: isTruncated ? text.slice(0, request.maxTokens * CHARACTERS_PER_TOKEN) : text,
      stopReason: refused ? 'refusal' : isTruncated ? 'max_tokens' : 'end_turn',
      inputTokens,
      outputTokens: Math.min(outputTokens, request.maxTokens),
      malformed,
    };
  }

  #randomFor(rule: ProviderRule, { model, system, messages }: ScriptedRequest): Random {
    const content = sha256(JSON.stringify([model, system, messages]));
    const sequence = (this.#seen.get(content) ?? 0) + 1;
    this.#seen.set(content, sequence);
    return seededRandom(`${this.#seed}/${rule.name}/${content}/${sequence}`);
  }
}

/** The groups captured by the rule's regular expressions, or undefined when the rule does not match. */
function matches(rule: ProviderRule, texts: ScriptedRequest): readonly string[] | undefined {
  if (rule.match?.provider !== undefined && rule.match.provider !== texts.provider) {
    return undefined;
  }
  const parts: readonly (readonly [TextMatch | undefined, string])[] = [
    [rule.match?.model, texts.model],
    [rule.match?.system, texts.system],
    [rule.match?.messages, texts.messages],
    [rule.match?.text, `${texts.system}\n${texts.messages}`],
  ];
  const groups: string[] = [];
  for (const [expected, text] of parts) {
    if (expected === undefined) {
      continue;
    }
    if (typeof expected === 'string') {
      if (!text.includes(expected)) {
        return undefined;
      }
      continue;
    }
    const found = new RegExp(expected.regex).exec(text);
    if (found === null) {
      return undefined;
    }
    groups.push(...found.slice(1).map((group) => group ?? ''));
  }
  return groups;
}

function fill(template: string, values: Readonly<Record<string, string>>, groups: readonly string[]): string {
  return template.replace(/\{\{(\w+)\}\}/g, (whole, name: string) =>
    /^\d+$/.test(name) ? (groups[Number(name) - 1] ?? '') : (values[name] ?? whole),
  );
}

function pickTokens(tokens: Tokens | undefined, text: string, random: Random): number {
  if (tokens === undefined) {
    return estimateTokens(text);
  }
  return typeof tokens === 'number' ? tokens : tokens.min + Math.floor(random() * (tokens.max - tokens.min + 1));
}

/** Distance between the median and the 99th percentile of a normal distribution, in standard deviations. */
const P99_DEVIATIONS = 2.326;

export function pickLatency(latency: Latency, random: Random): number {
  if (typeof latency === 'number') {
    return latency;
  }
  if ('min' in latency) {
    return latency.min + random() * (latency.max - latency.min);
  }
  if (latency.median === 0) {
    return 0;
  }
  const sigma = Math.log(latency.p99 / latency.median) / P99_DEVIATIONS;
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return latency.median * Math.exp(sigma * normal);
}

function emptyCount(rule: string): Tally {
  return { rule, requests: 0, answers: 0, errors: 0, timeouts: 0, refusals: 0, malformed: 0 };
}
