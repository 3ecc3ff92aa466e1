/**
 * What a task used up. Costs in US dollars. Written out, not inferred from its schema: it is part of the public types, which
 * do without those of zod.
 */
export interface Usage {
  modelCalls: number;
  toolCalls: number;
  inputTokens: number;
  outputTokens: number;
  cost: number;
}
