import type { Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';

/** A resource in a template. */
export interface TemplateResource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
  readonly DependsOn?: string | readonly string[];
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
  readonly UpdatePolicy?: Readonly<Record<string, unknown>>;
}

export type Resources = Readonly<Record<string, TemplateResource>>;

export function resourcesOf(stack: Stack): Resources {
  return Template.fromStack(stack).toJSON().Resources as Resources;
}

/**
 * Logical id without the digests in it: `SupportWorkerFunctionCurrentVersion1A2B3C4Df00…` →
 * `SupportWorkerFunctionCurrentVersion`.
 */
export function shortName(logicalId: string): string {
  return logicalId.replace(/[0-9A-F]{8}(?:[0-9a-f]{32})?$/, '');
}

/** The one resource of that short name. */
export function named(resources: Resources, name: string): string {
  const found = Object.keys(resources).filter((id) => shortName(id) === name);
  const [only] = found;
  if (only === undefined || found.length > 1) {
    const known = Object.keys(resources).map(shortName).sort().join('\n');
    throw new Error(`${found.length} resources are named ${name}, expected one; there are:\n${known}`);
  }
  return only;
}

/**
 * Which resources CloudFormation creates or updates before which: by `Ref`, `Fn::GetAtt`, `Fn::Sub` in the properties
 * and by `DependsOn`. References in an UpdatePolicy do not count: no document says that they order anything.
 */
export class DependencyGraph {
  private readonly edges: ReadonlyMap<string, ReadonlySet<string>>;

  constructor(resources: Resources) {
    const ids = new Set(Object.keys(resources));
    this.edges = new Map(
      Object.entries(resources).map(([id, { Properties, DependsOn }]) => {
        const named = DependsOn === undefined ? [] : typeof DependsOn === 'string' ? [DependsOn] : DependsOn;
        return [id, new Set([...references(Properties), ...named].filter((other) => ids.has(other)))];
      }),
    );
  }

  /** Everything that comes before the resource. */
  before(id: string): ReadonlySet<string> {
    const seen = new Set<string>();
    const open = [...(this.edges.get(id) ?? [])];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (!seen.has(next)) {
        seen.add(next);
        open.push(...(this.edges.get(next) ?? []));
      }
    }
    return seen;
  }

  /** Resources that come before themselves. */
  cyclic(): string[] {
    return [...this.edges.keys()].filter((id) => this.before(id).has(id));
  }
}

function references(value: unknown): string[] {
  if (Array.isArray(value)) {
    return value.flatMap(references);
  }
  if (typeof value !== 'object' || value === null) {
    return [];
  }
  return Object.entries(value).flatMap(([key, member]: [string, unknown]) => {
    if (key === 'Ref' && typeof member === 'string') {
      return [member];
    }
    if (key === 'Fn::GetAtt') {
      const [id] = typeof member === 'string' ? member.split('.') : Array.isArray(member) ? member : [];
      return typeof id === 'string' ? [id] : [];
    }
    if (key === 'Fn::Sub') {
      const [text, variables] = Array.isArray(member) ? member : [member, {}];
      const inText = [...String(text).matchAll(/\$\{([^!.}]+)/g)].flatMap(([, id]) => (id === undefined ? [] : [id]));
      return [...inText, ...references(variables)];
    }
    return references(member);
  });
}

/** What differs between two templates: short names of resources changed in place, and of those that are new or gone. */
export function difference(
  before: Resources,
  after: Resources,
): { changed: string[]; added: string[]; removed: string[] } {
  const only = (a: Resources, b: Resources) =>
    Object.keys(a)
      .filter((id) => b[id] === undefined)
      .map(shortName)
      .sort();
  return {
    changed: Object.keys(before)
      .filter((id) => after[id] !== undefined && JSON.stringify(before[id]) !== JSON.stringify(after[id]))
      .map(shortName)
      .sort(),
    added: only(after, before),
    removed: only(before, after),
  };
}
