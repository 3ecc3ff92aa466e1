import { type TaskDefinition, taskDefinitionArn } from './model';

/**
 * Task definitions: families of numbered revisions that never change. A deregistered revision cannot be used by new
 * services; services that use it continue.
 *
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definitions.html
 */
export class TaskDefinitions {
  readonly #families = new Map<string, TaskDefinition[]>();
  readonly #inactive = new Set<string>();

  register(family: string, content: Omit<TaskDefinition, 'arn' | 'family' | 'revision'>): TaskDefinition {
    const revisions = this.#families.get(family) ?? [];
    this.#families.set(family, revisions);
    const revision = revisions.length + 1;
    const definition = { ...content, arn: taskDefinitionArn(family, revision), family, revision };
    revisions.push(definition);
    return definition;
  }

  deregister(arn: string): void {
    this.#inactive.add(arn);
  }

  /** By ARN, `family:revision`, or the family alone: then its newest active revision. Undefined if it is not active. */
  find(reference: string): TaskDefinition | undefined {
    const [, family = '', revision] = /([\w-]+)(?::(\d+))?$/.exec(reference) ?? [];
    const active = (this.#families.get(family) ?? []).filter(({ arn }) => !this.#inactive.has(arn));
    return revision === undefined ? active.at(-1) : active.find((one) => one.revision === Number(revision));
  }

  /** Revisions by family, with whether they are active. */
  views(): readonly { readonly arn: string; readonly active: boolean }[] {
    return [...this.#families.values()].flat().map(({ arn }) => ({ arn, active: !this.#inactive.has(arn) }));
  }
}
