import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import { type Scenario, scenarioJsonSchema, scenarioSchema } from './scenario';

/** An invalid scenario. The message names the file and, for each problem, the path, the value and what is accepted. */
export class ScenarioError extends Error {
  override readonly name = 'ScenarioError';
}

/** Reads a scenario file. @throws ScenarioError when the file cannot be read, is not JSON, or does not fit the schema */
export async function loadScenario(file: string): Promise<Scenario> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new ScenarioError(
      `${file}: cannot be read (${describe(error)}): give the path of a scenario with --scenario`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ScenarioError(`${file}: is not JSON: ${describe(error)}`);
  }
  return parseScenario(value, file);
}

/** Checks a scenario. `source` names it in messages. */
export function parseScenario(value: unknown, source: string): Scenario {
  const parsed = scenarioSchema.safeParse(value);
  if (parsed.success) {
    return parsed.data;
  }
  const problems = parsed.error.issues.flatMap((issue) => explain(issue, value, []));
  throw new ScenarioError([`${source}: invalid scenario:`, ...problems.map((problem) => `  ${problem}`)].join('\n'));
}

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** One line per problem: `releases[1].expected: "promote": expected one of …. The field is: …` */
function explain(issue: Issue, root: unknown, parent: Path): readonly string[] {
  const path = [...parent, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(propertiesAt(path));
    return issue.keys.map((key) => `${dotted([...path, key])}: unknown field, expected one of ${known.join(', ')}`);
  }
  if (issue.code === 'invalid_union') {
    // The alternative with the deepest problem explains best. Without one the description of the field does.
    const deepest = issue.errors
      .map((issues) => issues.filter((inner) => inner.path.length > 0 || inner.code === 'unrecognized_keys'))
      .find((issues) => issues.length > 0);
    if (deepest !== undefined) {
      return deepest.flatMap((inner) => explain(inner, root, path));
    }
  }
  const value = valueAt(root, path);
  const shown = value === undefined ? 'missing' : shorten(JSON.stringify(value));
  const hint = descriptionAt(path);
  const message = issue.code === 'custom' ? issue.message : expectation(issue);
  return [`${dotted(path)}: ${shown}: ${message}${hint === undefined ? '' : `. The field is: ${hint}`}`];
}

function expectation(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${issue.expected === 'int' ? 'an integer' : article(issue.expected)}`;
    case 'invalid_value':
      return `expected one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`;
    case 'too_small':
      return issue.origin === 'number' || issue.origin === 'int'
        ? `expected ${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}`
        : `expected at least ${issue.minimum} ${issue.origin === 'string' ? 'character' : 'item'}`;
    case 'too_big':
      return `expected at most ${issue.maximum}`;
    default:
      return `not accepted (${issue.message})`;
  }
}

function article(type: string): string {
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}

function dotted(path: Path): string {
  if (path.length === 0) {
    return 'the scenario';
  }
  return path
    .map((step, index) => (typeof step === 'number' ? `[${step}]` : `${index === 0 ? '' : '.'}${String(step)}`))
    .join('');
}

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, step) => (typeof value === 'object' && value !== null ? Reflect.get(value, step) : undefined),
    root,
  );
}

interface SchemaNode {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
}

function schemaAt(path: Path): SchemaNode | undefined {
  return path.reduce<SchemaNode | undefined>((node, step) => {
    const candidates = [node, ...(node?.anyOf ?? [])];
    return typeof step === 'number'
      ? candidates.find((candidate) => candidate?.items !== undefined)?.items
      : candidates.find((candidate) => candidate?.properties?.[String(step)] !== undefined)?.properties?.[String(step)];
  }, scenarioJsonSchema() as SchemaNode);
}

function descriptionAt(path: Path): string | undefined {
  return path.length === 0 ? undefined : schemaAt(path)?.description;
}

function propertiesAt(path: Path): Readonly<Record<string, SchemaNode>> {
  const node = schemaAt(path);
  return node?.properties ?? node?.anyOf?.find((candidate) => candidate.properties !== undefined)?.properties ?? {};
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
