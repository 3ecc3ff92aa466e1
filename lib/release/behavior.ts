import { join } from 'node:path';
import { Token } from 'aws-cdk-lib';
import { describeValue, laneError } from '../common';
import { type BehaviorDocument, behaviorDocumentSchema, type ModelPolicySettings } from '../contract';
import { type BehaviorFile, readBehaviorFiles } from './behavior-files';
import { checkFallbacks } from './model-chain';
import { type ModelPolicy, resolveModelPolicy } from './model-policy';
import type { ModelSpec } from './model-spec';
import type { TaskLimits } from './task-limits';

/** Options of {@link Behavior.fromDirectory}. */
export interface BehaviorOptions {
  /** Pinned model. */
  readonly model: ModelSpec;
  /** Models that are called in this order when the primary model gives no answer: at most 4. @default - the task waits for its model */
  readonly fallbacks?: ModelSpec[];
  /** When to retry, when to call the next model, and when to skip one for a while. @default - see {@link ModelPolicy} */
  readonly modelPolicy?: ModelPolicy;
  /** Limits of one task. @default - see {@link TaskLimits} */
  readonly limits?: TaskLimits;
  /**
   * Names of the tools that may be used. Other tools are not part of the release, and are refused when the agent calls
   * them. Names without a file are ignored: one list may serve several agents.
   *
   * @default - all tools
   */
  readonly allowedTools?: string[];
  /**
   * Names of the tools that run for real. For each other tool its `sandbox` runs, and a tool without one is refused.
   *
   * @default - all tools
   */
  readonly liveTools?: string[];
  /** Version of the shape of session states: an integer of 1 or more. @default 1 */
  readonly stateSchema?: number;
}

/** How an agent behaves, apart from its code: prompts, tool schemas, model, limits, state schema. */
export class Behavior {
  /**
   * Reads a behavior from a folder:
   * - `prompts/**` with files `*.md` and `*.txt`: at least one; the name is the path without the extension, and
   *   placeholders are written `{{name}}`
   * - `tools/**` with files `*.json`: the JSON schema of each tool's input; may be missing
   *
   * Line ends, byte order marks, hidden files, and white space in JSON do not change the release. Symbolic links, other
   * files, empty prompts, and text that is not UTF-8 are refused.
   *
   * @param directory relative to the working directory of the app
   */
  static fromDirectory(directory: string, options: BehaviorOptions): Behavior {
    if (Token.isUnresolved(directory)) {
      throw laneError(
        undefined,
        'UnresolvedBehavior',
        `behavior directory is a token (${directory}): expected a path that exists at synth; use a literal`,
      );
    }
    const stateSchema = options.stateSchema ?? 1;
    if (Token.isUnresolved(stateSchema) || !Number.isSafeInteger(stateSchema) || stateSchema < 1) {
      throw laneError(
        undefined,
        'InvalidStateSchema',
        `stateSchema must be an integer of 1 or more, got ${describeValue(stateSchema)}; increase it by one whenever the shape of the session state changes`,
      );
    }
    checkFallbacks(options.model, options.fallbacks ?? []);
    return new Behavior(
      { ...options, stateSchema },
      directory,
      readPrompts(directory),
      readTools(directory, options.allowedTools),
      resolveModelPolicy(options.modelPolicy),
    );
  }

  /** Folder that the behavior was read from. */
  readonly directory: string;
  /** Pinned model. */
  readonly model: ModelSpec;
  /** Called in this order when the model gives no answer. */
  readonly fallbacks: ModelSpec[];
  /** Limits of one task. */
  readonly limits: TaskLimits;
  /** Version of the shape of session states. */
  readonly stateSchema: number;
  /** Names of the prompts, in order. */
  readonly promptNames: string[];
  /** Names of the tools, in order, without those that are not allowed. */
  readonly toolNames: string[];
  /** Of these, the tools that are replaced by their sandbox. */
  readonly sandboxedTools: string[];
  /** @internal */
  readonly _prompts: BehaviorDocument['prompts'];
  /** @internal */
  readonly _tools: BehaviorDocument['tools'];
  /** @internal */
  readonly _modelPolicy: ModelPolicySettings;

  private constructor(
    { model, fallbacks = [], limits = {}, liveTools, stateSchema }: BehaviorOptions & { readonly stateSchema: number },
    directory: string,
    prompts: BehaviorDocument['prompts'],
    tools: BehaviorDocument['tools'],
    modelPolicy: ModelPolicySettings,
  ) {
    this.directory = directory;
    this.model = model;
    this.fallbacks = [...fallbacks];
    this.limits = limits;
    this.stateSchema = stateSchema;
    this._modelPolicy = modelPolicy;
    this.promptNames = Object.keys(prompts);
    this.toolNames = Object.keys(tools);
    this.sandboxedTools = liveTools === undefined ? [] : this.toolNames.filter((name) => !liveTools.includes(name));
    this._prompts = prompts;
    this._tools = tools;
  }

  /** The model and its fallbacks, in order. @internal */
  get _chain(): ModelSpec[] {
    return [this.model, ...this.fallbacks];
  }
}

function readPrompts(directory: string): BehaviorDocument['prompts'] {
  const folder = join(directory, 'prompts');
  const files = readBehaviorFiles(folder, ['.md', '.txt']);
  if (files === undefined || files.length === 0) {
    throw laneError(
      undefined,
      'MissingPrompts',
      `${files === undefined ? `there is no folder ${folder}` : `${folder} holds no prompt`}: expected at least one file that ends in .md or .txt; paths are relative to ${process.cwd()}`,
    );
  }
  return Object.fromEntries(files.map((file) => [file.name, nonEmpty(file)]));
}

function nonEmpty(file: BehaviorFile): string {
  if (file.text.trim() === '') {
    throw laneError(
      undefined,
      'MissingPromptText',
      `${file.path} is empty: expected the text of the prompt "${file.name}"; write it, or remove the file`,
    );
  }
  return file.text;
}

function readTools(directory: string, allowed: readonly string[] | undefined): BehaviorDocument['tools'] {
  const files = readBehaviorFiles(join(directory, 'tools'), ['.json']) ?? [];
  // Read before they are left out: a broken file is found in every environment.
  const tools = files.map((file) => [file.name, parseTool(file)] as const);
  return Object.fromEntries(tools.filter(([name]) => allowed?.includes(name) ?? true));
}

function parseTool(file: BehaviorFile): BehaviorDocument['tools'][string] {
  let content: unknown;
  try {
    content = JSON.parse(file.text);
  } catch (error) {
    throw laneError(
      undefined,
      'InvalidToolJson',
      `${file.path} is not JSON (${error instanceof Error ? error.message : String(error)}): expected the JSON schema of the input of the tool "${file.name}"; correct the file`,
    );
  }
  const parsed = behaviorDocumentSchema.shape.tools.valueType.safeParse(content);
  if (!parsed.success) {
    throw laneError(
      undefined,
      'InvalidToolSchema',
      `${file.path} holds ${content === null ? 'null' : Array.isArray(content) ? 'an array' : `a ${typeof content}`}: expected a JSON object, the schema of the input of the tool "${file.name}", like {"type": "object", "properties": {…}}; correct the file`,
    );
  }
  return parsed.data;
}
