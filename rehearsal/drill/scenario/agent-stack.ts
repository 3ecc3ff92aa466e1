import { z } from 'zod';
import { CustomResourceType } from '../../../lib/contract';
import { readAssembly } from '../../assembly';

/** The drill cannot run, for a reason that is not a finding about a release. The message says what to do. */
export class DrillError extends Error {
  override readonly name = 'DrillError';
}

const templateSchema = z.looseObject({
  Resources: z
    .record(z.string(), z.looseObject({ Type: z.string(), Properties: z.record(z.string(), z.unknown()).optional() }))
    .optional(),
});

/** A stack of a cloud assembly, and the releases of the agents in it. */
export interface StackInAssembly {
  readonly stackName: string;
  readonly releases: readonly string[];
}

/** Stacks of a cloud assembly. */
export function stacksOf(assembly: string): readonly StackInAssembly[] {
  return readAssembly(assembly).stacks.map(({ name, template }) => ({
    stackName: name,
    releases: Object.values(templateSchema.parse(template).Resources ?? {}).flatMap((resource) =>
      resource.Type === CustomResourceType.RELEASE_RECORD ? [String(resource.Properties?.Release)] : [],
    ),
  }));
}

/**
 * The stack to rehearse: the one with this name, or the only one with an agent.
 *
 * @throws DrillError if no stack has an agent, or several have one and no name is given
 */
export function chooseAgentStack(stacks: readonly StackInAssembly[], wanted: string | undefined): StackInAssembly {
  const names = stacks.map((stack) => stack.stackName).join(', ');
  const found = wanted === undefined ? undefined : stacks.find((stack) => stack.stackName === wanted);
  if (wanted !== undefined && found === undefined) {
    throw new DrillError(`stack ${wanted} is not in the app: expected one of ${names || '(none)'}`);
  }
  const agents = stacks.filter((stack) => stack.releases.length > 0);
  const chosen = found ?? (agents.length === 1 ? agents[0] : undefined);
  if (chosen === undefined) {
    throw new DrillError(
      agents.length === 0
        ? `no stack of the app (${names || 'it has none'}) has an AgentService: the rehearsal requires one`
        : `several stacks have an AgentService (${agents.map((stack) => stack.stackName).join(', ')}): select one with "stack" in the scenario`,
    );
  }
  if (chosen.releases.length !== 1) {
    throw new DrillError(`stack ${chosen.stackName} has ${chosen.releases.length} agents, expected exactly one`);
  }
  return chosen;
}
