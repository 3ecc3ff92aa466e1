import * as z from 'zod';
import type { Clock } from '../../shared/clock';
import { messageOf } from '../../shared/errors';
import { parseJson } from '../../shared/json';
import type { Log } from '../../shared/telemetry/logger';
import { callHttp } from './http-call';

/**
 * Minutes for which the task is protected at a time. Not much longer than a worker that hangs may hold up a deployment.
 * ECS takes 1 to 2880
 * (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection-endpoint.html).
 */
const PROTECTED_MINUTES = 30;

/** Interval between renewals of the protection; after a failure the next attempt comes sooner. */
const RENEW_MS = 10 * 60_000;
const REPEAT_MS = 60_000;

/** Real milliseconds for one call. The agent of ECS gives up on its own call of ECS sooner than that. */
const TIMEOUT_MS = 6_000;

const ATTEMPTS = 2;

const MAX_ANSWER_BYTES = 64 * 1024;

const PATH = '/task-protection/v1/state';

const answerSchema = z.object({
  protection: z.object({ ProtectionEnabled: z.boolean() }).optional(),
  failure: z.object({ Reason: z.string().optional(), Detail: z.string().nullish() }).optional(),
  error: z.object({ Code: z.string(), Message: z.string().optional() }).optional(),
});

/**
 * `protected`: ECS does not stop the task to scale in or to deploy. `unprotected`: ECS cannot be asked now, or there is
 * no ECS agent. `refused`: it says no, so the task is about to go, or may not be asked for.
 */
export type Protection = 'protected' | 'unprotected' | 'refused';

export interface TaskProtectionDeps {
  /** `ECS_AGENT_URI`. Undefined outside of ECS: then there is nothing to protect the task from. */
  readonly agentUri: string | undefined;
  readonly clock: Clock;
  readonly logger: Log;
}

/**
 * Keeps ECS from stopping the task while it has work. Protection does not cover everything (a Spot interruption, a
 * deployment that stops on purpose, maintenance), and a stopped container requeues its work; so where ECS cannot be asked,
 * work continues without protection: an outage of a control plane must not stop what it controls. What ECS refuses is refused.
 *
 * Calls are made one after the other: the last one that was asked for is the one that counts.
 */
export class TaskProtection {
  readonly #deps: TaskProtectionDeps;
  /** Ends the renewal. Absent while the task is not to be protected. */
  #renewal: AbortController | undefined;
  #state: Protection = 'unprotected';
  #last: Promise<unknown> = Promise.resolve();

  constructor(deps: TaskProtectionDeps) {
    this.#deps = deps;
  }

  get state(): Protection {
    return this.#state;
  }

  /** To be called before work is begun. Protection lasts, renewed, until {@link release}. */
  acquire(): Promise<Protection> {
    return this.#next(async () => {
      if (this.#deps.agentUri === undefined) {
        return 'unprotected';
      }
      if (this.#renewal !== undefined) {
        return this.#state;
      }
      this.#state = await this.#ask(true);
      if (this.#state !== 'refused') {
        this.#renewal = new AbortController();
        void this.#renew(this.#renewal.signal);
      }
      return this.#state;
    });
  }

  /** To be called when there is no work. Does not reject: a protection that is not released runs out. */
  release(): Promise<void> {
    return this.#next(async () => {
      if (this.#renewal === undefined) {
        return;
      }
      this.#renewal.abort();
      this.#renewal = undefined;
      await this.#ask(false);
      this.#state = 'unprotected';
    });
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#last.then(work);
    this.#last = next.catch(() => undefined);
    return next;
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    while (!signal.aborted) {
      await clock.sleep(this.#state === 'protected' ? RENEW_MS : REPEAT_MS, signal).catch(() => undefined);
      await this.#next(async () => {
        if (!signal.aborted) {
          this.#state = await this.#ask(true);
        }
      });
    }
  }

  async #ask(enabled: boolean): Promise<Protection> {
    const { logger } = this.#deps;
    let reason = '';
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      try {
        const { refused, unavailable } = await this.#put(enabled);
        if (refused === undefined && unavailable === undefined) {
          return enabled ? 'protected' : 'unprotected';
        }
        if (refused !== undefined) {
          logger[enabled ? 'warn' : 'info']('ECS refused to change the scale-in protection of the task', {
            component: 'protection',
            outcome: 'refused',
            enabled,
            reason: refused,
          });
          return 'refused';
        }
        reason = unavailable ?? '';
      } catch (error) {
        reason = messageOf(error);
      }
    }
    logger.warn(
      enabled
        ? 'ECS could not be asked to protect the task: if it stops the task, running tasks are requeued'
        : 'ECS could not be asked to end the protection of the task: it expires on its own',
      { component: 'protection', outcome: 'error', enabled, reason },
    );
    return 'unprotected';
  }

  async #put(enabled: boolean): Promise<{ readonly refused?: string; readonly unavailable?: string }> {
    const { status, text } = await callHttp({
      method: 'PUT',
      url: `${this.#deps.agentUri}${PATH}`,
      body: { ProtectionEnabled: enabled, ...(enabled ? { ExpiresInMinutes: PROTECTED_MINUTES } : {}) },
      timeoutMs: TIMEOUT_MS,
      maxBytes: MAX_ANSWER_BYTES,
    });
    const parsed = answerSchema.safeParse(parseJson(text));
    const { protection, failure, error } = parsed.success ? parsed.data : {};
    if (protection?.ProtectionEnabled === enabled) {
      return {};
    }
    if (failure !== undefined) {
      return { refused: [failure.Reason, failure.Detail].filter((part) => part).join(': ') || 'no reason given' };
    }
    const problem = error === undefined ? `status ${status}` : `${error.Code}: ${error.Message ?? ''}`;
    return status >= 500 || status === 429 || /throttl|RequestCanceled/i.test(error?.Code ?? '')
      ? { unavailable: problem }
      : { refused: problem };
  }
}
