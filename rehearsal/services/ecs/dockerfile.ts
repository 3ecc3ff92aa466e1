/** What a container runs if its definition says nothing. */
export interface ImageConfig {
  readonly entryPoint: readonly string[] | undefined;
  readonly command: readonly string[] | undefined;
  readonly environment: Readonly<Record<string, string>>;
}

/** A Dockerfile that does not say in exec form what its image runs. */
export class DockerfileError extends Error {}

interface Instruction {
  readonly name: string;
  readonly rest: string;
}

/**
 * Reads out of a Dockerfile what the image of a stage runs: `ENTRYPOINT` and `CMD` in exec form, and `ENV`. The other
 * instructions say how the image is built, and nothing is built here. What a stage inherits from an earlier one of the
 * same file is taken over.
 *
 * @param target stage by name. @default the last one
 * @throws DockerfileError for shell forms and for values with variables
 * @see https://docs.docker.com/reference/dockerfile/
 */
export function readDockerfile(text: string, target?: string): ImageConfig {
  const stages: Stage[] = [];
  for (const { name, rest } of instructionsOf(text)) {
    const stage = stages.at(-1);
    if (name === 'FROM') {
      const [, base = '', alias = ''] = /^(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?$/i.exec(rest) ?? [];
      const earlier = stages.find((one) => one.name !== '' && one.name === base.toLowerCase());
      stages.push({ name: alias.toLowerCase(), image: earlier?.image ?? NOTHING, ownCommand: false });
    } else if (stage !== undefined) {
      apply(stage, name, rest);
    }
  }
  const found = target === undefined ? stages.at(-1) : stages.find(({ name }) => name === target.toLowerCase());
  if (found === undefined) {
    throw new DockerfileError(target === undefined ? 'has no FROM' : `has no stage ${target}`);
  }
  return found.image;
}

const NOTHING: ImageConfig = { entryPoint: undefined, command: undefined, environment: {} };

interface Stage {
  readonly name: string;
  image: ImageConfig;
  /** Whether the command is the stage's own and not one that it inherited. */
  ownCommand: boolean;
}

function apply(stage: Stage, keyword: string, rest: string): void {
  const { image } = stage;
  if (keyword === 'CMD') {
    stage.image = { ...image, command: execForm(keyword, rest) };
    stage.ownCommand = true;
  } else if (keyword === 'ENTRYPOINT') {
    // An entry point leaves nothing of an inherited command.
    const command = stage.ownCommand ? image.command : undefined;
    stage.image = { ...image, entryPoint: execForm(keyword, rest), command };
  } else if (keyword === 'ENV') {
    stage.image = { ...image, environment: { ...image.environment, ...variablesOf(rest) } };
  }
}

function execForm(keyword: string, rest: string): readonly string[] {
  let value: unknown;
  try {
    value = JSON.parse(rest);
  } catch {
    value = undefined;
  }
  if (!Array.isArray(value) || !value.every((word) => typeof word === 'string')) {
    throw new DockerfileError(`has a ${keyword} that is not in exec form: ${rest}`);
  }
  return value;
}

/** `A=b C="d e"`, or the old form `A b c`. */
function variablesOf(rest: string): Record<string, string> {
  const old = /^([A-Za-z_]\w*)\s+(.*)$/.exec(rest);
  const pairs: (readonly [string, string])[] =
    old === null
      ? [...rest.matchAll(/([A-Za-z_]\w*)=("(?:[^"\\]|\\.)*"|'[^']*'|\S*)/g)].map(([, key = '', value = '']) => [
          key,
          unquoted(value),
        ])
      : [[old[1] ?? '', old[2] ?? '']];
  for (const [key, value] of pairs) {
    if (value.includes('$')) {
      throw new DockerfileError(`sets ${key} to a value with variables: ${value}`);
    }
  }
  return Object.fromEntries(pairs);
}

function unquoted(value: string): string {
  return /^(["']).*\1$/s.test(value) ? value.slice(1, -1).replace(/\\(.)/g, '$1') : value;
}

function instructionsOf(text: string): readonly Instruction[] {
  const joined = text
    .split(/\r?\n/)
    .filter((line) => !/^\s*#/.test(line))
    .join('\n')
    .replace(/\\[ \t]*\n/g, ' ');
  return joined.split('\n').flatMap((line) => {
    const [, name = '', rest = ''] = /^\s*([A-Za-z]+)\s+(.*?)\s*$/.exec(line) ?? [];
    return name === '' ? [] : [{ name: name.toUpperCase(), rest }];
  });
}
