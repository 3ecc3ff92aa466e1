import type { ResourceHandler } from '../../core/resource';
import { findCycle, type Graph } from './graph';
import {
  type ParameterValue,
  PSEUDO_PARAMETERS,
  ResolutionError,
  referencesOf,
  resolve,
  resolveCondition,
  type Scope,
} from './intrinsics';
import { NotRehearsable } from './model';
import { isCustomResource } from './resources';
import type { Template, TemplateResource } from './template';

/** A template with its parameters and conditions decided, checked, and its order worked out. */
export interface Plan {
  readonly template: Template;
  readonly parameters: Readonly<Record<string, ParameterValue>>;
  readonly conditions: Readonly<Record<string, boolean>>;
  /** Resources whose condition holds. */
  readonly resources: ReadonlyMap<string, TemplateResource>;
  /** Which resource needs which others first. */
  readonly graph: Graph;
}

export interface PlanOptions {
  readonly stackName: string;
  readonly given: Readonly<Record<string, string>>;
  readonly pseudo: Readonly<Record<string, ParameterValue>>;
  /** Undefined for an unknown type. */
  readonly handlerOf: (type: string) => Pick<ResourceHandler, 'properties' | 'refusals'> | undefined;
  /** Value of a parameter of the Systems Manager parameter store. */
  readonly ssmParameter: (name: string) => string | undefined;
}

/** Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html */
const LIMITS = { resources: 500, outputs: 200, parameters: 200 } as const;

/** @throws NotRehearsable with every finding, before anything is touched */
export function makePlan(template: Template, options: PlanOptions): Plan {
  const findings = [...template.unknown];
  for (const [section, count, limit] of [
    ['resources', template.resources.size, LIMITS.resources],
    ['outputs', Object.keys(template.outputs).length, LIMITS.outputs],
    ['parameters', Object.keys(template.parameters).length, LIMITS.parameters],
  ] as const) {
    if (count > limit) {
      findings.push(`${count} ${section} in the template; CloudFormation takes ${limit}`);
    }
  }
  const parameters = decideParameters(template, options, findings);
  const outside: Scope = {
    parameters,
    pseudo: options.pseudo,
    mappings: template.mappings,
    conditions: {},
    ref: () => undefined,
    attribute: () => undefined,
  };
  const conditions = decideConditions(template, outside, findings);
  const scope: Scope = { ...outside, conditions };
  checkRules(template, scope, findings);

  const resources = new Map(
    [...template.resources].filter(
      ([, resource]) => resource.condition === undefined || conditions[resource.condition] === true,
    ),
  );
  checkTypes(resources, options, scope, findings);
  const known = new Set<string>([...Object.keys(parameters), ...PSEUDO_PARAMETERS]);
  const graph = new Map<string, Set<string>>();
  for (const [logicalId, resource] of resources) {
    const needed = new Set<string>();
    for (const other of resource.dependsOn) {
      if (!template.resources.has(other)) {
        findings.push(`${resource.path}: DependsOn ${other} names no resource of the template`);
      } else if (resources.has(other)) {
        needed.add(other);
      }
    }
    const { names, unknown } = referencesOf([resource.properties, resource.updatePolicy ?? {}], conditions);
    for (const name of unknown) {
      findings.push(`not rehearsable: ${name}, used by ${resource.path}`);
    }
    for (const name of names) {
      if (resources.has(name)) {
        needed.add(name);
      } else if (!known.has(name)) {
        findings.push(`${resource.path}: reference to ${name}, which is no parameter and no resource of the template`);
      }
    }
    graph.set(logicalId, needed);
  }
  for (const [name, output] of Object.entries(template.outputs)) {
    if (output.condition !== undefined && conditions[output.condition] !== true) {
      continue;
    }
    const { names, unknown } = referencesOf(output.value, conditions);
    for (const used of unknown) {
      findings.push(`not rehearsable: ${used}, used by output ${name}`);
    }
    for (const used of names) {
      if (!resources.has(used) && !known.has(used)) {
        findings.push(`output ${name}: reference to ${used}, which is no parameter and no resource of the template`);
      }
    }
  }
  const cycle = findCycle(graph);
  if (cycle !== undefined) {
    findings.push(`circular dependency: ${cycle.map((id) => resources.get(id)?.path ?? id).join(' → ')}`);
  }
  if (findings.length > 0) {
    throw new NotRehearsable(options.stackName, findings);
  }
  return { template, parameters, conditions, resources, graph };
}

const LIST_TYPES = ['CommaDelimitedList', 'List<Number>', 'List<String>'];
const SSM_TYPE = /^AWS::SSM::Parameter::Value<String>$/;

function decideParameters(
  template: Template,
  options: PlanOptions,
  findings: string[],
): Readonly<Record<string, ParameterValue>> {
  const values: Record<string, ParameterValue> = {};
  for (const [name, parameter] of Object.entries(template.parameters)) {
    const given = options.given[name] ?? parameter.default;
    if (given === undefined) {
      findings.push(`parameter ${name} has no default and was given no value`);
      continue;
    }
    if (parameter.allowedValues !== undefined && !parameter.allowedValues.includes(given)) {
      findings.push(`parameter ${name}: "${given}" is not one of ${parameter.allowedValues.join(', ')}`);
    }
    if (parameter.type === 'String' || parameter.type === 'Number') {
      values[name] = given;
    } else if (LIST_TYPES.includes(parameter.type)) {
      values[name] = given.split(',').map((item) => item.trim());
    } else if (SSM_TYPE.test(parameter.type)) {
      const value = options.ssmParameter(given);
      if (value === undefined) {
        findings.push(`parameter ${name}: the parameter store of the rehearsal has no ${given}`);
      } else {
        values[name] = value;
      }
    } else {
      findings.push(`not rehearsable: parameter type ${parameter.type}, used by parameter ${name}`);
    }
  }
  for (const name of Object.keys(options.given)) {
    if (!Object.hasOwn(template.parameters, name)) {
      findings.push(`parameter ${name} was given a value, and the template has no such parameter`);
    }
  }
  return values;
}

/** Conditions may use each other; a round that decides none means a circle or an unknown name. */
function decideConditions(template: Template, scope: Scope, findings: string[]): Readonly<Record<string, boolean>> {
  const decided: Record<string, boolean> = {};
  const open = new Map(Object.entries(template.conditions));
  let lastError = '';
  for (let before = -1; open.size > 0 && open.size !== before; ) {
    before = open.size;
    for (const [name, expression] of open) {
      try {
        decided[name] = resolveCondition(expression, { ...scope, conditions: decided });
        open.delete(name);
      } catch (error) {
        if (!(error instanceof ResolutionError)) {
          throw error;
        }
        lastError = `condition ${name}: ${error.message}`;
      }
    }
  }
  if (open.size > 0) {
    findings.push(lastError);
  }
  return decided;
}

function checkRules(template: Template, scope: Scope, findings: string[]): void {
  for (const rule of template.rules) {
    try {
      if (rule.condition !== undefined && !resolveCondition(rule.condition, scope)) {
        continue;
      }
      for (const assertion of rule.assertions) {
        if (!resolveCondition(assertion.assert, scope)) {
          findings.push(`rule ${rule.name}: ${assertion.description}`);
        }
      }
    } catch (error) {
      if (!(error instanceof ResolutionError)) {
        throw error;
      }
      findings.push(`rule ${rule.name}: ${error.message}`);
    }
  }
}

function checkTypes(
  resources: ReadonlyMap<string, TemplateResource>,
  options: PlanOptions,
  scope: Scope,
  findings: string[],
): void {
  const usedBy = new Map<string, string[]>();
  const note = (what: string, path: string) => usedBy.set(what, [...(usedBy.get(what) ?? []), path]);
  for (const resource of resources.values()) {
    if (isCustomResource(resource.type)) {
      continue;
    }
    const handler = options.handlerOf(resource.type);
    if (handler === undefined) {
      note(resource.type, resource.path);
      continue;
    }
    for (const property of Object.keys(resource.properties)) {
      if (!handler.properties.includes(property)) {
        note(`property ${property} of ${resource.type}`, resource.path);
      }
    }
    for (const refusal of handler.refusals?.(resource.properties, (value) => resolvedNow(value, scope)) ?? []) {
      note(refusal, resource.path);
    }
  }
  for (const [what, paths] of usedBy) {
    findings.push(`not rehearsable: ${what}, used by ${paths.join(', ')}`);
  }
}

/** Undefined for what depends on a resource. */
function resolvedNow(value: unknown, scope: Scope): unknown {
  try {
    return resolve(value, scope);
  } catch (error) {
    if (error instanceof ResolutionError) {
      return undefined;
    }
    throw error;
  }
}
