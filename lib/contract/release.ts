import * as z from 'zod';
import { digestOf } from './digest';

/** `r-` and the first 12 hexadecimal digits of the digest over all component digests. */
export const RELEASE_ID_PATTERN = /^r-[0-9a-f]{12}$/;

/** Components of a release. Each has its own digest, so that a diff names the changed ones. */
export const RELEASE_COMPONENTS = [
  'prompts',
  'tools',
  'model',
  'limits',
  'state',
  'code',
  'worker',
  'library',
] as const;

const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);

/** The manifest: one digest per component. The release id is derived from it alone. */
export const releaseManifestSchema = z.strictObject({
  schema: z.literal(1),
  components: z.strictObject({
    prompts: sha256Hex,
    tools: sha256Hex,
    model: sha256Hex,
    limits: sha256Hex,
    state: sha256Hex,
    code: sha256Hex,
    worker: sha256Hex,
    /** Of this library: what of it runs beside the agent. */
    library: sha256Hex,
  }),
});
export type ReleaseManifest = z.infer<typeof releaseManifestSchema>;

/** Providers of models. `openai_compatible` is any endpoint with OpenAI's Chat Completions API. */
export const MODEL_PROVIDERS = ['anthropic', 'openai', 'bedrock', 'openai_compatible'] as const;
export type ModelProviderName = (typeof MODEL_PROVIDERS)[number];

export const modelSchema = z.strictObject({
  provider: z.enum(MODEL_PROVIDERS),
  /** Pinned model id. */
  id: z.string().min(1),
  /** Name of the secret with the provider's API key. Absent: the worker's role authorizes the calls (Bedrock). */
  secret: z.string().min(1).optional(),
  /** `openai_compatible` only. */
  baseUrl: z.url({ protocol: /^https?$/ }).optional(),
  /** `bedrock` only. Absent: the worker's region. */
  region: z.string().min(1).optional(),
  maxTokens: z.number().int().positive(),
  temperature: z.number().min(0).max(1).optional(),
  /** Timeout of one call to the provider in milliseconds. */
  timeoutMs: z.number().int().positive(),
  /** US dollars per million tokens. */
  price: z.strictObject({ inputPerMillion: z.number().nonnegative(), outputPerMillion: z.number().nonnegative() }),
});
export type ModelSettings = z.infer<typeof modelSchema>;

/** Retries and circuit breaker per model, before the worker calls the next model of the chain. Waits are in real time. */
export const modelPolicySchema = z.strictObject({
  /** Calls to one model per request, including the first. */
  attempts: z.number().int().min(1).max(5),
  /** Backoff before retry n in milliseconds: full jitter up to first × 2^(n−1), at most longest. */
  backoffFirstMs: z.number().int().nonnegative(),
  backoffLongestMs: z.number().int().nonnegative(),
  /** Consecutive failures that open the circuit breaker of a model. */
  breakerFailures: z.number().int().min(1),
  /** Milliseconds (cloud time) that the breaker stays open; then one call is let through. */
  breakerOpenMs: z.number().int().positive(),
});
export type ModelPolicySettings = z.infer<typeof modelPolicySchema>;

export const DEFAULT_MODEL_POLICY: ModelPolicySettings = {
  attempts: 2,
  backoffFirstMs: 500,
  backoffLongestMs: 4_000,
  breakerFailures: 5,
  breakerOpenMs: 30_000,
};

export const limitsSchema = z.strictObject({
  maxToolCalls: z.number().int().positive(),
  maxModelCalls: z.number().int().positive(),
  /** Journal entries of one task: steps, tool calls and model calls together. */
  maxSteps: z.number().int().positive(),
  maxTokens: z.number().int().positive(),
  /** US dollars per task. */
  maxCost: z.number().positive(),
  /** Milliseconds that all attempts of a task may run together, without time in queues. */
  maxDurationMs: z.number().int().positive(),
});
export type TaskLimitSettings = z.infer<typeof limitsSchema>;

/** The content-addressed JSON asset that a worker loads at its first task and the recorder archives. */
export const behaviorDocumentSchema = z.strictObject({
  schema: z.literal(1),
  release: z.string().regex(RELEASE_ID_PATTERN),
  manifest: releaseManifestSchema,
  /** Prompt name → text with placeholders `{{name}}`. */
  prompts: z.record(z.string(), z.string()),
  /** Tool name → JSON schema of its input. */
  tools: z.record(z.string(), z.record(z.string(), z.json())),
  /** Tools that are replaced by the agent's sandbox. Absent: none. */
  sandboxedTools: z.array(z.string()).min(1).optional(),
  /** The primary model. */
  model: modelSchema,
  /** Called in this order when the primary model fails. Each has its own prices. */
  fallbacks: z.array(modelSchema).max(4),
  modelPolicy: modelPolicySchema,
  limits: limitsSchema,
  stateSchema: z.number().int().positive(),
});
export type BehaviorDocument = z.infer<typeof behaviorDocumentSchema>;

/** Derives the release id from the manifest. */
export function releaseIdOf(manifest: ReleaseManifest): string {
  return `r-${digestOf(manifest).slice(0, 12)}`;
}

/**
 * Target of a rollout: a release on a published worker version, behind a published router version. Deployments with the same
 * three values are the same deployment.
 */
export const rolloutTargetSchema = z.strictObject({
  release: z.string().regex(RELEASE_ID_PATTERN),
  workerVersion: z.string().min(1),
  routerVersion: z.string().min(1),
});
export type RolloutTarget = z.infer<typeof rolloutTargetSchema>;

export function sameTarget(a: RolloutTarget | undefined, b: RolloutTarget | undefined): boolean {
  return (
    a !== undefined &&
    b !== undefined &&
    a.release === b.release &&
    a.workerVersion === b.workerVersion &&
    a.routerVersion === b.routerVersion
  );
}

/** Custom resource types. CloudFormation passes every property as a string. */
export const CustomResourceType = {
  RELEASE_RECORD: 'Custom::AgentLanesReleaseRecord',
  ROLLOUT_CHECK: 'Custom::AgentLanesRolloutCheck',
  PROMOTED_RECORD: 'Custom::AgentLanesPromotedRecord',
} as const;

const cfnInteger = z.string().regex(/^\d+$/).transform(Number);

export const releaseRecordPropertiesSchema = z.object({
  ServiceToken: z.string(),
  Release: z.string().regex(RELEASE_ID_PATTERN),
  WorkerVersion: z.string().min(1),
  RouterVersion: z.string().min(1),
  BehaviorBucket: z.string().min(1),
  BehaviorKey: z.string().min(1),
  /** Running tasks at a rollback: `finish` (default), or `requeue` to the stable lane. */
  OnRollback: z.enum(['finish', 'requeue']).optional(),
  /** Provenance, if known: revision of the last commit that changed the behavior or the code, its author and time. */
  GitRevision: z.string().optional(),
  GitAuthor: z.string().optional(),
  GitTime: z.string().optional(),
});
export type ReleaseRecordProperties = z.infer<typeof releaseRecordPropertiesSchema>;

export const rolloutCheckPropertiesSchema = z.object({
  ServiceToken: z.string(),
  Release: z.string().regex(RELEASE_ID_PATTERN),
  RouterFunction: z.string().min(1),
  RouterVersion: z.string().min(1),
  /** Longest time that the check waits, in seconds. */
  WaitSeconds: cfnInteger,
});
export type RolloutCheckProperties = z.infer<typeof rolloutCheckPropertiesSchema>;

export const promotedRecordPropertiesSchema = z.object({
  ServiceToken: z.string(),
  Release: z.string().regex(RELEASE_ID_PATTERN),
  WorkerVersion: z.string().min(1),
  RouterVersion: z.string().min(1),
});
