/**
 * Intrinsic functions of templates.
 * Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
 */

/** Result of `AWS::NoValue`: the member or element is omitted. */
const NO_VALUE = Symbol('AWS::NoValue');

export type ParameterValue = string | readonly string[];

/** Everything that references can resolve to. */
export interface Scope {
  readonly parameters: Readonly<Record<string, ParameterValue>>;
  /** `AWS::Region` and the like. */
  readonly pseudo: Readonly<Record<string, ParameterValue>>;
  readonly mappings: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, unknown>>>>>>;
  readonly conditions: Readonly<Record<string, boolean>>;
  /** Value of `Ref`, or undefined when the resource does not exist. */
  ref(logicalId: string): string | undefined;
  attribute(logicalId: string, name: string): string | number | boolean | undefined;
}

/** A value that cannot be resolved. */
export class ResolutionError extends Error {}

const FUNCTIONS = new Set([
  'Fn::GetAtt',
  'Fn::Sub',
  'Fn::Join',
  'Fn::Select',
  'Fn::Split',
  'Fn::If',
  'Fn::Equals',
  'Fn::And',
  'Fn::Or',
  'Fn::Not',
  'Fn::Contains',
  'Fn::FindInMap',
  'Fn::Base64',
  'Fn::Cidr',
  'Fn::GetAZs',
]);

/** Pseudo parameters that the rehearsal supports, without `AWS::NoValue`. */
export const PSEUDO_PARAMETERS = [
  'AWS::AccountId',
  'AWS::NotificationARNs',
  'AWS::Partition',
  'AWS::Region',
  'AWS::StackId',
  'AWS::StackName',
  'AWS::URLSuffix',
] as const;

/** @throws ResolutionError naming the function and its argument */
export function resolve(value: unknown, scope: Scope): unknown {
  const resolved = resolveValue(value, scope);
  return resolved === NO_VALUE ? undefined : resolved;
}

/** Resolves a condition or assertion. */
export function resolveCondition(value: unknown, scope: Scope): boolean {
  const resolved = resolveValue(value, scope);
  if (typeof resolved !== 'boolean') {
    throw new ResolutionError(
      `${JSON.stringify(value)} is not a condition: it resolves to ${JSON.stringify(resolved)}`,
    );
  }
  return resolved;
}

function resolveValue(value: unknown, scope: Scope): unknown {
  if (Array.isArray(value)) {
    return value.map((item) => resolveValue(item, scope)).filter((item) => item !== NO_VALUE);
  }
  if (!isRecord(value)) {
    return value;
  }
  const call = callOf(value);
  if (call !== undefined) {
    return apply(call.name, call.argument, scope);
  }
  const result: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    const resolved = resolveValue(member, scope);
    if (resolved !== NO_VALUE) {
      result[key] = resolved;
    }
  }
  return result;
}

function apply(name: string, argument: unknown, scope: Scope): unknown {
  switch (name) {
    case 'Ref':
      return reference(String(argument), scope);
    case 'Condition':
      return conditionValue(String(argument), scope);
    case 'Fn::GetAtt': {
      const [logicalId, attribute] = getAttParts(argument, (part) => resolve(part, scope));
      return attributeOf(logicalId, attribute, scope);
    }
    case 'Fn::Sub':
      return substitute(argument, scope);
    case 'Fn::Join': {
      const [separator, items] = list(argument, scope, name);
      if (!Array.isArray(items)) {
        throw new ResolutionError(`Fn::Join must be given a list, got ${JSON.stringify(items)}`);
      }
      return items.map((item) => textOf(item, name)).join(textOf(separator, name));
    }
    case 'Fn::Select': {
      const [index, items] = list(argument, scope, name);
      const chosen = Array.isArray(items) ? items[Number(index)] : undefined;
      if (chosen === undefined) {
        throw new ResolutionError(`Fn::Select: no element ${JSON.stringify(index)} in ${JSON.stringify(items)}`);
      }
      return chosen;
    }
    case 'Fn::Split': {
      const [separator, text] = list(argument, scope, name);
      return textOf(text, name).split(textOf(separator, name));
    }
    case 'Fn::If': {
      const [condition, then, otherwise] = elements(argument, name, 3);
      return resolveValue(conditionValue(String(condition), scope) ? then : otherwise, scope);
    }
    case 'Fn::Equals': {
      const [a, b] = list(argument, scope, name);
      return typeof a === 'object' || typeof b === 'object'
        ? JSON.stringify(a) === JSON.stringify(b)
        : String(a) === String(b);
    }
    case 'Fn::And':
      return elements(argument, name).every((item) => resolveCondition(item, scope));
    case 'Fn::Or':
      return elements(argument, name).some((item) => resolveCondition(item, scope));
    case 'Fn::Not':
      return !resolveCondition(elements(argument, name, 1)[0], scope);
    case 'Fn::Contains': {
      const [items, wanted] = list(argument, scope, name);
      return Array.isArray(items) && items.includes(wanted);
    }
    case 'Fn::FindInMap': {
      const [map, first, second] = list(argument, scope, name).map(String);
      const found = scope.mappings[map ?? '']?.[first ?? '']?.[second ?? ''];
      if (found === undefined) {
        throw new ResolutionError(`Fn::FindInMap: nothing at ${map}.${first}.${second}`);
      }
      return found;
    }
    case 'Fn::Base64':
      return Buffer.from(textOf(resolve(argument, scope), name)).toString('base64');
    case 'Fn::Cidr': {
      const [block, count, bits] = list(argument, scope, name);
      return blocksOf(textOf(block, name), Number(count), Number(bits ?? Number.NaN));
    }
    case 'Fn::GetAZs': {
      const region = textOf(resolve(argument, scope), name) || String(scope.pseudo['AWS::Region']);
      return ['a', 'b', 'c'].map((zone) => `${region}${zone}`);
    }
    default:
      throw new ResolutionError(`not rehearsable: ${name}`);
  }
}

/**
 * Splits a block of addresses into `count` blocks with `bits` host bits each.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-cidr.html
 */
function blocksOf(block: string, count: number, bits: number): readonly string[] {
  const [, address = '', length] = /^(\d{1,3}(?:\.\d{1,3}){3})\/(\d{1,2})$/.exec(block) ?? [];
  const size = 2 ** bits;
  const room = 2 ** (32 - Number(length));
  if (length === undefined || !(count >= 1 && count <= 256) || !(bits >= 1 && bits <= 31) || count * size > room) {
    throw new ResolutionError(`Fn::Cidr: ${count} IPv4 blocks of ${bits} bits do not fit into ${block}`);
  }
  const first = address.split('.').reduce((value, part) => value * 256 + Number(part), 0);
  const start = first - (first % room);
  return Array.from({ length: count }, (_, index) => {
    const value = start + index * size;
    return `${[24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')}/${32 - bits}`;
  });
}

function reference(name: string, scope: Scope): unknown {
  if (name === 'AWS::NoValue') {
    return NO_VALUE;
  }
  const value = scope.pseudo[name] ?? scope.parameters[name] ?? scope.ref(name);
  if (value === undefined) {
    throw new ResolutionError(`Ref ${name}: no such parameter or resource`);
  }
  return value;
}

function attributeOf(logicalId: string, attribute: string, scope: Scope): string | number | boolean {
  const value = scope.attribute(logicalId, attribute);
  if (value === undefined) {
    throw new ResolutionError(`Fn::GetAtt ${logicalId}.${attribute}: the resource has no such attribute`);
  }
  return value;
}

function conditionValue(name: string, scope: Scope): boolean {
  const value = scope.conditions[name];
  if (value === undefined) {
    throw new ResolutionError(`condition ${name} is not defined`);
  }
  return value;
}

const PLACEHOLDER = /\$\{(!?)([^}]+)\}/g;

function substitute(argument: unknown, scope: Scope): string {
  const [template, variables] = Array.isArray(argument) ? argument : [argument, {}];
  if (typeof template !== 'string' || !isRecord(variables)) {
    throw new ResolutionError(`Fn::Sub must be given text, or text and variables, got ${JSON.stringify(argument)}`);
  }
  return template.replace(PLACEHOLDER, (_all, literal: string, inner: string) => {
    const name = inner.trim();
    if (literal === '!') {
      return `\${${inner}}`;
    }
    if (Object.hasOwn(variables, name)) {
      return textOf(resolve(variables[name], scope), 'Fn::Sub');
    }
    const dot = name.indexOf('.');
    return dot < 0
      ? textOf(reference(name, scope), 'Fn::Sub')
      : String(attributeOf(name.slice(0, dot), name.slice(dot + 1), scope));
  });
}

/** What a value refers to, following only the branch of `Fn::If` that applies. */
export interface References {
  /** Logical ids and parameters named by Ref, GetAtt and Sub. */
  readonly names: ReadonlySet<string>;
  /** Functions and dynamic references that the rehearsal does not support. */
  readonly unknown: ReadonlySet<string>;
}

export function referencesOf(value: unknown, conditions: Readonly<Record<string, boolean>>): References {
  const names = new Set<string>();
  const unknown = new Set<string>();
  const visit = (node: unknown): void => {
    if (typeof node === 'string') {
      const dynamic = /\{\{resolve:[a-z-]+:/.exec(node)?.[0];
      if (dynamic !== undefined) {
        unknown.add(`dynamic reference ${dynamic}…}}`);
      }
      return;
    }
    if (Array.isArray(node)) {
      node.forEach(visit);
      return;
    }
    if (!isRecord(node)) {
      return;
    }
    const call = callOf(node);
    if (call === undefined) {
      Object.values(node).forEach(visit);
      return;
    }
    const { name, argument } = call;
    if (name === 'Ref') {
      if (argument !== 'AWS::NoValue') {
        names.add(String(argument));
      }
    } else if (name === 'Fn::GetAtt') {
      names.add(getAttParts(argument, (part) => (typeof part === 'string' ? part : ''))[0]);
    } else if (name === 'Fn::Sub') {
      const [template, variables] = Array.isArray(argument) ? argument : [argument, {}];
      const given = isRecord(variables) ? variables : {};
      for (const match of String(template).matchAll(PLACEHOLDER)) {
        const inner = (match[2] ?? '').trim();
        if (match[1] !== '!' && !Object.hasOwn(given, inner)) {
          names.add(inner.split('.')[0] ?? inner);
        }
      }
      visit(given);
    } else if (name === 'Fn::If' && Array.isArray(argument)) {
      visit(conditions[String(argument[0])] === false ? argument[2] : argument[1]);
    } else if (name === 'Condition' || FUNCTIONS.has(name)) {
      visit(argument);
    } else {
      unknown.add(name);
    }
  };
  visit(value);
  return { names, unknown };
}

function callOf(value: Record<string, unknown>): { readonly name: string; readonly argument: unknown } | undefined {
  const keys = Object.keys(value);
  const [name] = keys;
  if (keys.length !== 1 || name === undefined) {
    return undefined;
  }
  // `Condition` is a function only where a condition is expected; elsewhere (IAM statements) it is a member.
  const isCall = name === 'Ref' || name.startsWith('Fn::') || (name === 'Condition' && typeof value[name] === 'string');
  return isCall ? { name, argument: value[name] } : undefined;
}

function getAttParts(argument: unknown, part: (value: unknown) => unknown): readonly [string, string] {
  if (typeof argument === 'string') {
    const dot = argument.indexOf('.');
    return [argument.slice(0, dot), argument.slice(dot + 1)];
  }
  const [logicalId, attribute] = elements(argument, 'Fn::GetAtt', 2);
  return [String(logicalId), String(part(attribute))];
}

function list(argument: unknown, scope: Scope, name: string): readonly unknown[] {
  const resolved = Array.isArray(argument) ? argument.map((item) => resolve(item, scope)) : resolve(argument, scope);
  return elements(resolved, name);
}

function elements(argument: unknown, name: string, count?: number): readonly unknown[] {
  if (!Array.isArray(argument) || (count !== undefined && argument.length !== count)) {
    throw new ResolutionError(
      `${name} must be given a list${count === undefined ? '' : ` of ${count}`}, got ${JSON.stringify(argument)}`,
    );
  }
  return argument;
}

function textOf(value: unknown, name: string): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return String(value);
  }
  throw new ResolutionError(`${name} must be given text, got ${JSON.stringify(value)}`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
