import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import type { FreezeWindow } from '../../chaos';

/** Environment variable by which agents of a drill learn in which file to write down what they do. */
export const EXECUTION_LOG_VARIABLE = 'DRILL_LEDGER';

const executionSchema = z.strictObject({ task: z.string(), key: z.string(), at: z.number() });

/** Something that an agent really did: task, what it was, and when it was begun, in real milliseconds since 1970. */
export type Execution = z.infer<typeof executionSchema>;

/** In the prompt of a model call that is to be written down: the task, and which of its calls it is. */
const IN_PROMPT = /\[ledger (t-[0-9a-f]{32}) ([\w:.@-]+)\]/;

/** In what a tool or the model gave; there in JSON, which may itself be in JSON. */
const IN_VALUE = /\\*"ledger\\*":\s*\\*"([\w:.@-]+)/;

/**
 * What was really done in a drill, written down by those who did it and not by the worker: agents append to a file as
 * they begin a step or a tool, the model provider remembers what it was asked.
 */
export class Ledger {
  private readonly asked: Execution[] = [];

  constructor(private readonly file: string) {}

  /** Variables for the functions of the drill. */
  get environment(): Readonly<Record<string, string>> {
    return { [EXECUTION_LOG_VARIABLE]: this.file };
  }

  /** A prompt that the provider was sent. */
  readonly onPrompt = (text: string): void => {
    const [, task, key] = IN_PROMPT.exec(text) ?? [];
    if (task !== undefined && key !== undefined) {
      this.asked.push({ task, key, at: Date.now() });
    }
  };

  /**
   * @param standstills of workers. A call that was on its way to the provider when its worker stood still arrives after it,
   * and was begun before.
   */
  executions(standstills: readonly FreezeWindow[] = []): readonly Execution[] {
    const lines = existsSync(this.file) ? readFileSync(this.file, 'utf8').split('\n') : [];
    const written = lines.filter((line) => line !== '').map((line) => executionSchema.parse(JSON.parse(line)));
    return [...written, ...this.asked.map((execution) => begunBefore(standstills, execution))];
  }
}

/** Real milliseconds that a call may take from the check of the lease to the provider. */
const ON_ITS_WAY_MS = 250;

function begunBefore(standstills: readonly FreezeWindow[], execution: Execution): Execution {
  const { task, at } = execution;
  const last = standstills.find(({ event, to }) => event.includes(task) && at >= to - 1 && at < to + ON_ITS_WAY_MS);
  return last === undefined ? execution : { ...execution, at: last.from };
}

/** What the value of a journal entry says that it is of. */
export function executionMarkOf(value: unknown): string | undefined {
  return IN_VALUE.exec(JSON.stringify(value) ?? '')?.[1];
}
