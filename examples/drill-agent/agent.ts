/** The model's answer sets the number of tool calls and the score. A refusal, or an answer it cannot read, fails the task. */
import { defineAgent, FatalError } from 'cdk-agent-lanes/runtime';
import { z } from 'zod';

const ordersSchema = z.object({
  toolCalls: z.number().int().min(0).max(20),
  score: z.number().min(0).max(1),
});

export default defineAgent({
  input: z.object({ text: z.string() }),
  output: z.object({ lines: z.number() }),
  settings: z.object({ MAX_LINES: z.coerce.number().int().min(0).default(20) }),
  probe: { input: { text: 'probe' } },

  async run(task, ctx) {
    const { text, stopReason } = await ctx.model.generate({ prompt: ctx.prompt('task', { text: task.input.text }) });
    if (stopReason === 'refusal') {
      throw new FatalError('the model refused the task', { code: 'model_refusal' });
    }
    const orders = ordersSchema.safeParse(parseJson(text));
    if (!orders.success) {
      throw new FatalError(`the model answered ${JSON.stringify(text)}, expected toolCalls and score`, {
        code: 'malformed_answer',
      });
    }
    const lines = Math.min(orders.data.toolCalls, ctx.settings.MAX_LINES);
    for (let line = 0; line < lines; line++) {
      await ctx.tool('note', { line }, () => ({ noted: line }));
    }
    ctx.score(orders.data.score);
    return { lines };
  },
});

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
