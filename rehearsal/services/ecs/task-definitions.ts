import { z } from 'zod';
import { readProperties } from '../../core/properties';
import {
  type ResourceDeleteRequest,
  ResourceFailure,
  type ResourceHandler,
  type ResourceOutcome,
  type ResourceRequest,
  type ResourceUpdateRequest,
} from '../../core/resource';
import { taskDefinitionArn } from './arn';
import { ImageError, type Images } from './images';
import type { TaskDefinition } from './model';
import { definitionOf, taskDefinitionSchema } from './task-definition-schema';

/**
 * Task definitions: families of numbered revisions that are never changed. A revision that was deregistered can start nothing
 * new, and services that have it go on with it.
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

/** Image and overrides of a container as the template has them. */
const rawContainersSchema = z.array(
  z.looseObject({ Image: z.unknown(), Command: z.unknown().optional(), EntryPoint: z.unknown().optional() }),
);
const wordsSchema = z.array(z.string()).optional();

/** `AWS::ECS::TaskDefinition` for Fargate. */
export class TaskDefinitionHandler implements ResourceHandler {
  readonly #definitions: TaskDefinitions;
  readonly #images: Images;
  readonly type = 'AWS::ECS::TaskDefinition';
  readonly source =
    'https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecs-taskdefinition.html';
  readonly properties = Object.keys(taskDefinitionSchema.shape);
  readonly replaceOn = this.properties.filter((property) => property !== 'Tags');

  constructor(definitions: TaskDefinitions, images: Images) {
    this.#definitions = definitions;
    this.#images = images;
  }

  /** Images that nobody here can run. */
  refusals(properties: Readonly<Record<string, unknown>>, resolve: (value: unknown) => unknown): readonly string[] {
    const containers = rawContainersSchema.safeParse(properties.ContainerDefinitions);
    return (containers.data ?? []).flatMap(({ Image, Command, EntryPoint }) => {
      const image = resolve(Image);
      const [command, entryPoint] = [Command, EntryPoint].map((value) => wordsSchema.safeParse(resolve(value)).data);
      try {
        if (typeof image === 'string') {
          this.#images.launchOf(image, { command, entryPoint });
        }
        return [];
      } catch (error) {
        if (error instanceof ImageError) {
          return [error.message];
        }
        throw error;
      }
    });
  }

  async create(request: ResourceRequest): Promise<ResourceOutcome> {
    const properties = readProperties(this.type, taskDefinitionSchema, request);
    for (const { Image, Command, EntryPoint } of properties.ContainerDefinitions) {
      try {
        this.#images.launchOf(Image, { command: Command, entryPoint: EntryPoint });
      } catch (error) {
        throw error instanceof ImageError ? new ResourceFailure(`not rehearsable: ${error.message}`) : error;
      }
    }
    const family = properties.Family ?? `${request.stack.stackName}-${request.logicalId}`.slice(0, 255);
    return outcome(this.#definitions.register(family, definitionOf(properties)).arn);
  }

  async update({ physicalId }: ResourceUpdateRequest): Promise<ResourceOutcome> {
    return outcome(physicalId);
  }

  async delete({ physicalId }: ResourceDeleteRequest): Promise<void> {
    this.#definitions.deregister(physicalId);
  }
}

function outcome(arn: string): ResourceOutcome {
  return { physicalId: arn, attributes: { TaskDefinitionArn: arn } };
}
