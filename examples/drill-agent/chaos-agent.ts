/**
 * The input sets the number of steps, tool calls and model calls, and how the task ends. The agent records each action when
 * it begins in a file beside the worker: a drill compares that file with the journal.
 */
import { appendFileSync } from 'node:fs';
import { type AgentContext, defineAgent, FatalError, RetryableError } from 'cdk-agent-lanes/runtime';
import { z } from 'zod';

const ordersSchema = z.object({ execution: z.string(), score: z.number().min(0).max(1) });

export default defineAgent({
  input: z.object({
    /** Only makes the input large. */
    text: z.string().optional(),
    steps: z.number().int().min(0).max(50),
    /** How long each step takes. Milliseconds; default 0. */
    stepMs: z.number().min(0).optional(),
    /** Default 1. */
    tools: z.number().int().min(0).max(20).optional(),
    /** Default 1. */
    models: z.number().int().min(1).max(10).optional(),
    /** Size of the result; default 0. */
    resultBytes: z.number().int().min(0).optional(),
    /** Default: it succeeds. */
    fate: z.enum(['succeed', 'fail', 'retry']).optional(),
  }),
  probe: { input: { steps: 1 } },

  async run(task, ctx) {
    const { steps, stepMs = 0, tools = 1, models = 1, resultBytes = 0, fate } = task.input;
    for (let part = 0; part < steps; part++) {
      await ctx.step(`part:${part}`, async ({ signal }) => {
        logExecution(task.id, `step:part:${part}`);
        await pause(stepMs, signal);
        return part;
      });
    }
    // All at once: their order in the journal differs from attempt to attempt.
    await Promise.all(
      Array.from({ length: tools }, (_, line) =>
        ctx.tool('note', { line }, () => {
          const execution = `tool:note:${line}`;
          logExecution(task.id, execution);
          return { execution };
        }),
      ),
    );
    let score = 0;
    for (let call = 0; call < models; call++) {
      score = await ask(task.id, call, ctx);
    }
    switch (fate) {
      case 'fail':
        throw new FatalError('the task was meant to fail', { code: 'meant_to_fail' });
      case 'retry':
        throw new RetryableError('the task was meant to fail every time', { code: 'meant_to_retry' });
    }
    ctx.score(score);
    return { steps, tools, models, filler: 'x'.repeat(resultBytes) };
  },
});

/** The provider writes these down itself: it finds the task and the call in the prompt. */
async function ask(taskId: string, call: number, ctx: AgentContext): Promise<number> {
  // Another release asks another question and needs a new answer.
  const text = `[execution ${taskId} model:${call}@${ctx.task.release}]`;
  const answer = await ctx.model.generate({ prompt: ctx.prompt('task', { text }) });
  if (answer.stopReason === 'refusal') {
    throw new FatalError('the model refused the task', { code: 'model_refusal' });
  }
  return ordersSchema.parse(JSON.parse(answer.text)).score;
}

/** At once, by one write: a process that is killed in the next moment has still done what it began. */
function logExecution(task: string, key: string): void {
  const file = process.env.DRILL_EXECUTION_LOG;
  if (file !== undefined) {
    appendFileSync(file, `${JSON.stringify({ task, key, at: Date.now() })}\n`);
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
  });
}
