import { defineAgent } from 'cdk-agent-lanes/runtime';
import { z } from 'zod';

/** As small as an agent can be: the tests of the constructs need one to bundle. */
export default defineAgent({
  input: z.object({ question: z.string() }),
  async run(task, ctx) {
    const answer = await ctx.model.generate({ prompt: ctx.prompt('answer', { question: task.input.question }) });
    return { answer: answer.text };
  },
});
