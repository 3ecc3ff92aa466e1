import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import type { FreezeWindow } from '../../chaos';

/** Environment variable with the file to which the agents of a drill append what they execute. */
export const EXECUTION_LOG_VARIABLE = 'DRILL_EXECUTION_LOG';

const executionSchema = z.strictObject({ task: z.string(), key: z.string(), at: z.number() });

/** One execution by an agent: the task, the step, tool call or model call, and its start in real milliseconds since 1970. */
export type Execution = z.infer<typeof executionSchema>;

/** Mark in the prompt of a model call to be logged: the task, and the key of the call. */
const PROMPT_MARK = /\[execution (t-[0-9a-f]{32}) ([\w:.@-]+)\]/;

/** Mark in the result of a tool or a model: JSON, possibly inside of a JSON string. */
const RESULT_MARK = /\\*"execution\\*":\s*\\*"([\w:.@-]+)/;

/** Real milliseconds that a call may take between the check of its lease and its arrival at the provider. */
const MAX_CALL_DELAY_MS = 250;

/**
 * What a drill really executed, independent of the workers' journal: agents append to a file before each step or tool call,
 * and the model provider records its prompts.
 */
export class ExecutionLog {
  readonly #modelCalls: Execution[] = [];
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** Environment variables for the functions of the drill. */
  get environment(): Readonly<Record<string, string>> {
    return { [EXECUTION_LOG_VARIABLE]: this.#file };
  }

  /** Called with each prompt that the provider receives. */
  readonly onPrompt = (text: string): void => {
    const [, task, key] = PROMPT_MARK.exec(text) ?? [];
    if (task !== undefined && key !== undefined) {
      this.#modelCalls.push({ task, key, at: Date.now() });
    }
  };

  /**
   * @param freezes of workers. A model call that was in transit when its worker was frozen arrives after the freeze, but
   * started before it.
   */
  executions(freezes: readonly FreezeWindow[] = []): readonly Execution[] {
    const lines = existsSync(this.#file) ? readFileSync(this.#file, 'utf8').split('\n') : [];
    const logged = lines.filter((line) => line !== '').map((line) => executionSchema.parse(JSON.parse(line)));
    return [...logged, ...this.#modelCalls.map((execution) => withStartBeforeFreeze(freezes, execution))];
  }
}

function withStartBeforeFreeze(freezes: readonly FreezeWindow[], execution: Execution): Execution {
  const { task, at } = execution;
  const freeze = freezes.find(({ event, to }) => event.includes(task) && at >= to - 1 && at < to + MAX_CALL_DELAY_MS);
  return freeze === undefined ? execution : { ...execution, at: freeze.from };
}

/** Key of the execution that produced the value of a journal entry. */
export function executionKeyIn(value: unknown): string | undefined {
  return RESULT_MARK.exec(JSON.stringify(value) ?? '')?.[1];
}
