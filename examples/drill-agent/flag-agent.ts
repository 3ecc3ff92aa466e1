/** Follows the model's answer in one of two ways, which a flag chooses. A refusal fails the task. */
import { defineAgent, FatalError } from 'cdk-agent-lanes/runtime';
import { z } from 'zod';

const ordersSchema = z.object({ toolCalls: z.number().int().min(0).max(20), score: z.number().min(0).max(1) });

export default defineAgent({
  input: z.object({ text: z.string() }),
  probe: { input: { text: 'probe' } },

  async run(task, ctx) {
    const way = (await ctx.flags.bool('careful')) ? 'careful' : 'plain';
    const prompt = ctx.prompt('task', { text: `${way}: ${task.input.text}` });
    const { text, stopReason } = await ctx.model.generate({ prompt });
    if (stopReason === 'refusal') {
      throw new FatalError('the model refused the task', { code: 'model_refusal' });
    }
    const { toolCalls, score } = ordersSchema.parse(JSON.parse(text));
    for (let line = 0; line < toolCalls; line++) {
      await ctx.tool('note', { line }, () => ({ noted: line }));
    }
    ctx.score(score);
    return { way };
  },
});
