/**
 * A support agent: looks up what it may know, asks the model for an answer in JSON, judges the answer, remembers the
 * conversation. All that shapes its behavior besides this code (prompts, tools' schemas, model, limits) is in the release.
 */
import { type AgentContext, defineAgent, FatalError } from 'cdk-agent-lanes/runtime';
import { z } from 'zod';
import { lookUpOrder } from './orders';
import { type Article, searchArticles } from './search';

const inputSchema = z.object({
  question: z.string().min(1).max(2_000),
  orderId: z.string().min(1).max(40).optional(),
});

const answerSchema = z.object({
  answer: z.string().min(1),
  /** How sure the model is, 0 to 1. */
  confidence: z.number().min(0).max(1),
  /** Ids of the articles that the answer rests on. */
  sources: z.array(z.string()),
});
type Answer = z.infer<typeof answerSchema>;

const conversationSchema = z.object({
  turns: z.array(z.object({ question: z.string(), answer: z.string() })),
});

/** Turns of the conversation that the model is shown, and that are kept. */
const TURNS_KEPT = 5;
const FIRST_ARTICLES = 2;
const MORE_ARTICLES = 5;
/** Below this the agent looks again, with more articles. */
const SURE_ENOUGH = 0.5;

export default defineAgent({
  input: inputSchema,
  output: answerSchema,
  probe: {
    input: { question: 'How can I return an item?' },
    check: ({ sources }) => (sources.length === 0 ? 'the answer to the probe names no source' : undefined),
  },

  async run(task, ctx) {
    const { question, orderId } = task.input;
    const conversation = (await ctx.session.get(conversationSchema)) ?? { turns: [] };
    const order =
      orderId === undefined
        ? 'The customer named no order.'
        : await ctx.tool('orderStatus', { orderId }, async (input) => {
            const { status } = await lookUpOrder(input.orderId);
            return `Order ${input.orderId} is ${status}.`;
          });
    const history =
      conversation.turns.map((turn) => `Customer: ${turn.question}\nYou: ${turn.answer}`).join('\n') ||
      'This is the first question.';

    let articles = await search(ctx, question, FIRST_ARTICLES);
    let answer = await ask(ctx, 'answer', { question, order, history, articles: list(articles) });
    if (answer.confidence < SURE_ENOUGH) {
      articles = await search(ctx, question, MORE_ARTICLES);
      answer = await ask(ctx, 'refine', { question, order, articles: list(articles), draft: answer.answer });
    }
    ctx.score(quality(answer, articles));

    const turns = [...conversation.turns, { question, answer: answer.answer }].slice(-TURNS_KEPT);
    await ctx.session.put({ turns });
    return answer;
  },
});

function search(ctx: AgentContext, query: string, limit: number): Promise<readonly Article[]> {
  return ctx.tool('search', { query, limit }, (input) => searchArticles(input.query, input.limit));
}

/** @throws FatalError when the model does not answer in the form that the prompts ask for */
async function ask(ctx: AgentContext, prompt: string, variables: Record<string, string>): Promise<Answer> {
  const { text, stopReason } = await ctx.model.generate({
    system: ctx.prompt('system'),
    prompt: ctx.prompt(prompt, variables),
  });
  if (stopReason === 'refusal') {
    throw new FatalError('the model refused to answer the question', { code: 'model_refusal' });
  }
  const parsed = answerSchema.safeParse(parseJson(text));
  if (!parsed.success) {
    const beginning = JSON.stringify(text.slice(0, 80));
    throw new FatalError(
      `the model did not answer in the JSON that prompt "${prompt}" asks for (stopped by ${stopReason}, began with ${beginning})`,
      { code: 'malformed_answer' },
    );
  }
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** As sure as the model is, less the share of sources that it was not shown; half for an answer without a source. */
function quality({ confidence, sources }: Answer, shown: readonly Article[]): number {
  if (sources.length === 0) {
    return confidence / 2;
  }
  const known = sources.filter((source) => shown.some(({ id }) => id === source));
  return (confidence * known.length) / sources.length;
}

function list(articles: readonly Article[]): string {
  return articles.map(({ id, title, text }) => `[${id}] ${title}: ${text}`).join('\n');
}
