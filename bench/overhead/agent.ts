/** An agent that does nothing: what is left is the runtime around it. */
import { defineAgent } from 'cdk-agent-lanes/runtime';
import { z } from 'zod';

export default defineAgent({
  input: z.object({ steps: z.number().int().min(0) }),
  run: async (task, ctx) => {
    for (let step = 0; step < task.input.steps; step++) {
      await ctx.step(`step-${step}`, () => ({ step }));
    }
    return { steps: task.input.steps };
  },
});
