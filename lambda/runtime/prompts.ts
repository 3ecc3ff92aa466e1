import { RuntimeErrorCode } from '../../lib/contract';
import { FatalError } from './errors';

const PLACEHOLDER = /\{\{\s*([A-Za-z_][\w.-]*)\s*\}\}/g;

/**
 * Replaces the placeholders of a prompt. Unused variables are ignored, so that a prompt can drop one without a code change; a
 * placeholder without a value is an error.
 *
 * @throws FatalError (code `prompt_error`) naming the prompt and the variable
 */
export function renderPrompt(
  prompts: Readonly<Record<string, string>>,
  name: string,
  variables: Readonly<Record<string, string | number | boolean>> = {},
): string {
  const text = Object.hasOwn(prompts, name) ? prompts[name] : undefined;
  if (text === undefined) {
    throw new FatalError(`the release has no prompt "${name}"; it has ${list(Object.keys(prompts))}`, {
      code: RuntimeErrorCode.PROMPT_ERROR,
    });
  }
  return text.replace(PLACEHOLDER, (_, variable: string) => {
    const value = Object.hasOwn(variables, variable) ? variables[variable] : undefined;
    if (value === undefined) {
      throw new FatalError(
        `prompt "${name}" has the placeholder {{${variable}}}, for which no value was given; given were ${list(Object.keys(variables))}`,
        { code: RuntimeErrorCode.PROMPT_ERROR },
      );
    }
    return String(value);
  });
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.map((name) => `"${name}"`).join(', ');
}
