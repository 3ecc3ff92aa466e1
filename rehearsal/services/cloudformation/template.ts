import { z } from 'zod';

export type DeletionPolicy = 'Delete' | 'Retain' | 'RetainExceptOnCreate';

export interface TemplateResource {
  readonly logicalId: string;
  readonly type: string;
  /** Path of the construct, or the logical id. */
  readonly path: string;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly dependsOn: readonly string[];
  readonly condition: string | undefined;
  readonly deletionPolicy: DeletionPolicy;
  readonly updateReplacePolicy: 'Delete' | 'Retain';
  readonly updatePolicy: Readonly<Record<string, unknown>> | undefined;
}

export interface Template {
  readonly parameters: Readonly<Record<string, TemplateParameter>>;
  readonly mappings: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, unknown>>>>>>;
  readonly conditions: Readonly<Record<string, unknown>>;
  readonly resources: ReadonlyMap<string, TemplateResource>;
  readonly outputs: Readonly<Record<string, { readonly value: unknown; readonly condition: string | undefined }>>;
  readonly rules: readonly {
    readonly name: string;
    readonly condition: unknown;
    readonly assertions: readonly Assertion[];
  }[];
  /** Sections and attributes that the rehearsal does not support. */
  readonly unknown: readonly string[];
}

export interface TemplateParameter {
  readonly type: string;
  readonly default: string | undefined;
  readonly allowedValues: readonly string[] | undefined;
}

export interface Assertion {
  readonly assert: unknown;
  readonly description: string;
}

const text = z.union([z.string(), z.number().transform(String), z.boolean().transform(String)]);
const members = z.record(z.string(), z.unknown());

const resourceSchema = z.strictObject({
  Type: z.string(),
  Properties: members.default({}),
  DependsOn: z.union([z.string().transform((id) => [id]), z.array(z.string())]).default([]),
  Condition: z.string().optional(),
  DeletionPolicy: z.enum(['Delete', 'Retain', 'RetainExceptOnCreate', 'Snapshot']).default('Delete'),
  UpdateReplacePolicy: z.enum(['Delete', 'Retain', 'Snapshot']).default('Delete'),
  UpdatePolicy: members.optional(),
  CreationPolicy: members.optional(),
  Metadata: members.default({}),
});

const templateSchema = z.looseObject({
  Parameters: z
    .record(
      z.string(),
      z.looseObject({ Type: z.string(), Default: text.optional(), AllowedValues: z.array(text).optional() }),
    )
    .default({}),
  Mappings: z.record(z.string(), z.record(z.string(), members)).default({}),
  Conditions: members.default({}),
  Resources: z.record(z.string(), resourceSchema),
  Outputs: z.record(z.string(), z.looseObject({ Value: z.unknown(), Condition: z.string().optional() })).default({}),
  Rules: z
    .record(
      z.string(),
      z.object({
        RuleCondition: z.unknown().optional(),
        Assertions: z.array(z.object({ Assert: z.unknown(), AssertDescription: z.string().default('') })),
      }),
    )
    .default({}),
});

const KNOWN_SECTIONS = new Set([
  'AWSTemplateFormatVersion',
  'Description',
  'Metadata',
  'Parameters',
  'Mappings',
  'Conditions',
  'Resources',
  'Outputs',
  'Rules',
]);

/**
 * Reads a template.
 *
 * @param pathOf path of the construct behind a logical id, if the metadata has no `aws:cdk:path`
 * @throws Error naming the place for a template that is not well-formed
 */
export function readTemplate(
  source: unknown,
  pathOf: (logicalId: string) => string | undefined = () => undefined,
): Template {
  const parsed = templateSchema.safeParse(source);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new Error(`template: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`);
  }
  const given = parsed.data;
  const unknown = Object.keys(given)
    .filter((section) => !KNOWN_SECTIONS.has(section))
    .map((section) => `not rehearsable: template section ${section}`);
  const resources = new Map<string, TemplateResource>();
  for (const [logicalId, resource] of Object.entries(given.Resources)) {
    const cdkPath = resource.Metadata['aws:cdk:path'];
    const path = typeof cdkPath === 'string' ? cdkPath : (pathOf(logicalId) ?? logicalId);
    if (resource.CreationPolicy !== undefined) {
      unknown.push(`not rehearsable: CreationPolicy, used by ${path}`);
    }
    for (const [attribute, policy] of [
      ['DeletionPolicy', resource.DeletionPolicy],
      ['UpdateReplacePolicy', resource.UpdateReplacePolicy],
    ]) {
      if (policy === 'Snapshot') {
        unknown.push(`not rehearsable: ${attribute} Snapshot, used by ${path}`);
      }
    }
    for (const policy of Object.keys(resource.UpdatePolicy ?? {})) {
      if (policy !== 'CodeDeployLambdaAliasUpdate') {
        unknown.push(`not rehearsable: UpdatePolicy ${policy}, used by ${path}`);
      }
    }
    resources.set(logicalId, {
      logicalId,
      type: resource.Type,
      path,
      properties: resource.Properties,
      dependsOn: resource.DependsOn,
      condition: resource.Condition,
      deletionPolicy: resource.DeletionPolicy === 'Snapshot' ? 'Retain' : resource.DeletionPolicy,
      updateReplacePolicy: resource.UpdateReplacePolicy === 'Delete' ? 'Delete' : 'Retain',
      updatePolicy: resource.UpdatePolicy,
    });
  }
  return {
    parameters: Object.fromEntries(
      Object.entries(given.Parameters).map(([name, parameter]) => [
        name,
        { type: parameter.Type, default: parameter.Default, allowedValues: parameter.AllowedValues },
      ]),
    ),
    mappings: given.Mappings,
    conditions: given.Conditions,
    resources,
    outputs: Object.fromEntries(
      Object.entries(given.Outputs).map(([name, output]) => [
        name,
        { value: output.Value, condition: output.Condition },
      ]),
    ),
    rules: Object.entries(given.Rules).map(([name, rule]) => ({
      name,
      condition: rule.RuleCondition,
      assertions: rule.Assertions.map((assertion) => ({
        assert: assertion.Assert,
        description: assertion.AssertDescription,
      })),
    })),
    unknown,
  };
}
