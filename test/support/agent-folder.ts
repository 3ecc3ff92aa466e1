import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Behavior, ModelSpec, type TaskLimits } from '../../lib/release';
import { temporaryFolder } from './stack';

/** Files of a small agent: path below the folder → content. */
export const SMALL_AGENT: Readonly<Record<string, string>> = {
  'prompts/answer.md': 'Answer the question {{question}}.\n',
  'prompts/style.txt': 'Be brief.\n',
  'tools/search.json': '{"type":"object","properties":{"query":{"type":"string"}},"required":["query"]}\n',
};

/** Writes files in the order given. */
export function writeFiles(folder: string, files: Readonly<Record<string, string | Uint8Array>>): string {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return folder;
}

/** A new folder with the files. */
export function agentFolder(files: Readonly<Record<string, string | Uint8Array>> = SMALL_AGENT): string {
  return writeFiles(temporaryFolder(), files);
}

export function testModel(): ModelSpec {
  return ModelSpec.anthropic('claude-haiku-4-5-20251001', { price: { inputPerMillion: 1, outputPerMillion: 5 } });
}

export function testBehavior(
  files: Readonly<Record<string, string | Uint8Array>> = SMALL_AGENT,
  limits: TaskLimits = {},
): Behavior {
  return Behavior.fromDirectory(agentFolder(files), { model: testModel(), limits });
}

/** A module that exports an agent. Its packages come from the repository's own `node_modules`. */
export const AGENT_MODULE = `import { defineAgent } from 'cdk-agent-lanes/runtime';
import { z } from 'zod';
import { shout } from './shout';

export default defineAgent({
  input: z.object({ question: z.string() }),
  async run(task, ctx) {
    return { answer: shout((await ctx.model.generate({ prompt: task.input.question })).text) };
  },
});
`;

/** A folder with an agent's code. */
export function codeFolder(files: Readonly<Record<string, string>> = {}): string {
  const folder = agentFolder({
    'agent.ts': AGENT_MODULE,
    'shout.ts': 'export const shout = (text: string): string => text.toUpperCase();\n',
    ...files,
  });
  symlinkSync(join(__dirname, '..', '..', 'node_modules'), join(folder, 'node_modules'));
  return folder;
}
