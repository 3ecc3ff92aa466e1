import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import { type Scenario, scenarioJsonSchema, scenarioSchema } from './scenario';

/** A scenario that cannot be used. The message names the file, and for each finding the path, the value and what to do. */
export class ScenarioError extends Error {
  override readonly name = 'ScenarioError';
}

/** Reads a scenario file. @throws ScenarioError when it cannot be read, is not JSON, or says something wrong */
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
  const findings = parsed.error.issues.flatMap((issue) => explain(issue, value, []));
  throw new ScenarioError([`${source}: not a scenario:`, ...findings.map((finding) => `  ${finding}`)].join('\n'));
}

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** One line per finding: `releases[1].expected: "promote": expected one of …. What the field is for.` */
function explain(issue: Issue, root: unknown, parent: Path): readonly string[] {
  const path = [...parent, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(propertiesAt(path));
    return issue.keys.map(
      (key) => `${dotted([...path, key])}: not a field of a scenario: expected one of ${known.join(', ')}`,
    );
  }
  if (issue.code === 'invalid_union') {
    // The alternative that got furthest explains best; when none got anywhere, the field's own description does.
    const deepest = issue.errors
      .map((issues) => issues.filter((inner) => inner.path.length > 0 || inner.code === 'unrecognized_keys'))
      .find((issues) => issues.length > 0);
    if (deepest !== undefined) {
      return deepest.flatMap((inner) => explain(inner, root, path));
    }
  }
  const given = valueAt(root, path);
  const shown = given === undefined ? 'missing' : shorten(JSON.stringify(given));
  const hint = descriptionAt(path);
  const message = issue.code === 'custom' ? issue.message : expectation(issue);
  return [`${dotted(path)}: ${shown}: ${message}${hint === undefined ? '' : `. It says ${hint}`}`];
}

function expectation(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${issue.expected === 'int' ? 'a whole number' : article(issue.expected)}`;
    case 'invalid_value':
      return `expected one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`;
    case 'too_small':
      return issue.origin === 'number' || issue.origin === 'int'
        ? `expected a number of ${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}`
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
