import { type BehaviorDocument, DEFAULT_MODEL_POLICY, releaseIdOf, sha256 } from '../../../../lib/contract';

/** A behavior document whose id is derived from its prompt, as the constructs do it. */
export function behaviorDocument(prompt = 'Be kind.'): BehaviorDocument {
  const same = sha256('same');
  const manifest = {
    schema: 1,
    components: {
      prompts: sha256(prompt),
      tools: same,
      model: same,
      limits: same,
      state: same,
      code: same,
      worker: same,
      library: same,
    },
  } as const;
  return {
    schema: 1,
    release: releaseIdOf(manifest),
    manifest,
    prompts: { answer: prompt },
    tools: { search: { type: 'object' } },
    model: {
      provider: 'anthropic',
      id: 'claude-haiku-4-5-20251001',
      secret: 'anthropic',
      maxTokens: 500,
      timeoutMs: 2_000,
      price: { inputPerMillion: 1, outputPerMillion: 5 },
    },
    fallbacks: [],
    modelPolicy: DEFAULT_MODEL_POLICY,
    limits: { maxToolCalls: 5, maxModelCalls: 3, maxSteps: 200, maxTokens: 10_000, maxCost: 1, maxDurationMs: 5_000 },
    stateSchema: 1,
  };
}
