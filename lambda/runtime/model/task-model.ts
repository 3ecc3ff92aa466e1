import { digestOf, JournalKeyPrefix } from '../../../lib/contract';
import { throwIfAborted } from '../../shared/abort-signals';
import { messageOf } from '../../shared/errors';
import type { TraceContext } from '../../shared/telemetry/tracing';
import type { AgentLogger, AgentModel, ModelAnswer, ModelRequest, TaskInfo } from '../agent';
import { KEY_DIGITS } from '../journal/step-keys';
import type { StepRunner } from '../journal/step-runner';
import { NO_USAGE } from '../limits/usage';
import type { UsageMeter } from '../limits/usage-meter';
import { capMaxTokens } from './model-call';
import type { ModelCallCounter } from './model-call-stats';
import type { ModelCall, ModelChain } from './model-chain';
import { ProviderError } from './provider';
import type { TranscriptStore } from './transcript-store';

export interface TaskModelDeps {
  readonly chain: ModelChain;
  /** Id of the release's primary model, for the names of steps. */
  readonly primary: string;
  readonly mode: TaskInfo['mode'];
  /** Called before each model call. Throws if a budget forbids it. */
  readonly beforeCall?: () => Promise<void>;
  readonly steps: StepRunner;
  readonly meter: UsageMeter;
  readonly tally: ModelCallCounter;
  readonly logger: AgentLogger;
  readonly signal: AbortSignal;
  readonly trace?: TraceContext | undefined;
  /** Absent: no transcripts are written. */
  readonly transcripts?: Pick<TranscriptStore, 'write'> | undefined;
}

/** The models of one attempt: called once per task and request, counted, and priced by the model that answered. */
export class TaskModel implements AgentModel {
  readonly #deps: TaskModelDeps;
  /** Number of calls so far, for the names of their transcripts. */
  #calls = 0;

  constructor(deps: TaskModelDeps) {
    this.#deps = deps;
  }

  async generate(request: ModelRequest): Promise<ModelAnswer> {
    const { primary, steps, signal } = this.#deps;
    await throwIfAborted(signal);
    const { prompt, system, maxTokens, model } = request;
    const inputDigest = digestOf({ prompt, system, maxTokens, model });
    const key = steps.nextNumberedKey(`${JournalKeyPrefix.MODEL}${inputDigest.slice(0, KEY_DIGITS)}`);
    const step = { key, kind: 'model', name: primary, inputDigest } as const;
    return steps.run(step, async () => {
      const answer = await this.#generate(request);
      return { value: answer, usage: { ...NO_USAGE, modelCalls: 1, ...answer.usage }, model: answer.model };
    });
  }

  async #generate(request: ModelRequest): Promise<ModelAnswer> {
    const { chain, meter, tally, mode, signal, logger, trace, beforeCall } = this.#deps;
    await beforeCall?.();
    meter.countModelCall();
    const { text, stopReason, inputTokens, outputTokens, model, fallback } = await chain.generate({
      request,
      mode,
      signal,
      logger,
      trace,
      onCall: (call) => this.#record(request, call),
      onBreakerOpened: () => tally.countBreakerOpened(),
    });
    tally.countAnswer(model.id);
    if (fallback) {
      tally.countFallback();
    }
    return { text, stopReason, model: model.id, usage: meter.countTokens(model.price, inputTokens, outputTokens) };
  }

  async #record(request: ModelRequest, { model, result }: ModelCall): Promise<void> {
    const { transcripts, meter } = this.#deps;
    this.#calls += 1;
    const call = { call: this.#calls, model: model.id, request: capMaxTokens(model, request) };
    if (result instanceof ProviderError) {
      await transcripts?.write({ ...call, error: { code: `model_${result.kind}`, message: messageOf(result) } });
      return;
    }
    const { text, stopReason, ...tokens } = result;
    const usage = { ...tokens, cost: meter.costOf(model.price, tokens.inputTokens, tokens.outputTokens) };
    await transcripts?.write({ ...call, answer: { text, stopReason }, usage });
  }
}
