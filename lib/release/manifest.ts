import { Token } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import { laneError } from '../common';
import {
  type BehaviorDocument,
  canonicalJson,
  digestOf,
  limitsSchema,
  type ReleaseManifest,
  releaseIdOf,
  type TaskLimitSettings,
} from '../contract';
import type { Behavior } from './behavior';
import type { TaskLimits } from './task-limits';
import type { WorkerDescription } from './worker-description';

/** Seconds of the worker's timeout that the default of maxDuration leaves for recording that a task timed out. */
const DEFAULT_MARGIN_SECONDS = 10;
/** A task may outlast one invocation of its worker, for the next one continues it. This is the upper bound. */
const MAX_DURATION_HOURS = 12;

/** Largest document, in bytes: the recorder reads and compresses it, a worker loads it at its first task. */
export const MAX_DOCUMENT_BYTES = 1024 * 1024;

/** A release that is not yet in a stack: its id depends on content alone. */
export interface ReleaseDraft {
  readonly id: string;
  readonly manifest: ReleaseManifest;
  readonly document: BehaviorDocument;
  /** Canonical JSON of the document. */
  readonly text: string;
}

/**
 * Combines a behavior and a worker.
 *
 * @param scope for messages
 */
export function draftRelease(scope: IConstruct, behavior: Behavior, worker: WorkerDescription): ReleaseDraft {
  const limits = resolveLimits(scope, behavior.limits, worker);
  const sandboxed = behavior.sandboxedTools.length === 0 ? undefined : behavior.sandboxedTools;
  const chain = {
    model: behavior.model._settings,
    fallbacks: behavior.fallbacks.map(({ _settings }) => _settings),
    modelPolicy: behavior._modelPolicy,
  };
  const manifest: ReleaseManifest = {
    schema: 1,
    components: {
      prompts: digestOf(behavior._prompts),
      tools: digestOf(sandboxed === undefined ? behavior._tools : { tools: behavior._tools, sandboxed }),
      model: digestOf(chain),
      limits: digestOf(limits),
      state: digestOf({ schema: behavior.stateSchema }),
      code: worker.codeDigest,
      worker: digestOf(worker.settings),
      library: worker.libraryDigest ?? digestOf({ library: 'in the code' }),
    },
  };
  const id = releaseIdOf(manifest);
  const document: BehaviorDocument = {
    schema: 1,
    release: id,
    manifest,
    prompts: behavior._prompts,
    tools: behavior._tools,
    sandboxedTools: sandboxed,
    ...chain,
    limits,
    stateSchema: behavior.stateSchema,
  };
  const text = canonicalJson(document);
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_DOCUMENT_BYTES) {
    throw laneError(
      scope,
      'TooLargeBehavior',
      `behavior of ${behavior.directory} is ${bytes} bytes as JSON: expected at most ${MAX_DOCUMENT_BYTES}, for every worker loads it at its first task; move large texts to a store that the agent's tools read`,
    );
  }
  return { id, manifest, document, text };
}

function resolveLimits(scope: IConstruct, limits: TaskLimits, worker: WorkerDescription): TaskLimitSettings {
  const timeoutMs = worker.timeout.toMilliseconds();
  if (limits.maxDuration?.isUnresolved() || Object.values(limits).some((value) => Token.isUnresolved(value))) {
    throw laneError(
      scope,
      'UnresolvedLimits',
      'limits of the behavior hold a token: expected concrete values, for they are part of the release; use literals',
    );
  }
  const maxDurationMs = limits.maxDuration?.toMilliseconds() ?? timeoutMs - DEFAULT_MARGIN_SECONDS * 1000;
  if (maxDurationMs > MAX_DURATION_HOURS * 3_600_000) {
    throw laneError(
      scope,
      'InvalidMaxDuration',
      `limits.maxDuration is ${limits.maxDuration?.toHumanString()}: expected at most ${MAX_DURATION_HOURS} hours of work on one task, for a task that loops must be aborted; split the work into several tasks`,
    );
  }
  const parsed = limitsSchema.safeParse({
    maxToolCalls: limits.maxToolCalls ?? 100,
    maxModelCalls: limits.maxModelCalls ?? 50,
    maxSteps: limits.maxSteps ?? 200,
    maxTokens: limits.maxTokens ?? 500_000,
    maxCost: limits.maxCost ?? 1,
    maxDurationMs,
  });
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
    throw laneError(
      scope,
      'InvalidLimits',
      `limits of the behavior are not valid: ${issues}; correct them in Behavior.fromDirectory${
        limits.maxDuration === undefined && maxDurationMs <= 0
          ? `, or raise the worker's timeout of ${timeoutMs / 1000} s above ${DEFAULT_MARGIN_SECONDS} s`
          : ''
      }`,
    );
  }
  return parsed.data;
}
