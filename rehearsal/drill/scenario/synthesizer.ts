import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { digestOf, type Json } from '../../../lib/contract';
import { REHEARSAL_ACCOUNT, REHEARSAL_REGION } from '../../core/resource';

/** The app could not be synthesized. The message ends with the standard error of the app. */
export class SynthesisError extends Error {
  override readonly name = 'SynthesisError';
}

export interface SynthesisRequest {
  /** Shell command, or the folder of a cloud assembly. */
  readonly app: string;
  /** In addition to cdk.json and cdk.context.json. */
  readonly context: Readonly<Record<string, Json>>;
  readonly environment: Readonly<Record<string, string>>;
}

export interface SynthesizerOptions {
  /** Folder with cdk.json, in which the app's command runs. */
  readonly directory: string;
  /** Folder for the assemblies. */
  readonly output: string;
  /** Stops a running command. */
  readonly signal: AbortSignal;
}

/** Context that the CDK CLI sets for every app, so that the template has the paths of constructs and assets. */
const TOOL_CONTEXT = {
  'aws:cdk:enable-path-metadata': true,
  'aws:cdk:enable-asset-metadata': true,
  'aws:cdk:disable-version-reporting': true,
  'aws:cdk:bundling-stacks': ['**'],
} as const;

const cdkJsonSchema = z.looseObject({
  app: z.string().optional(),
  context: z.record(z.string(), z.json()).optional(),
});

const manifestSchema = z.looseObject({
  missing: z.array(z.looseObject({ key: z.string() })).optional(),
});

/** Maximum length of a failed app's standard error in the message. */
const MAX_STDERR_LENGTH = 4_000;

/**
 * Runs the app as `cdk synth` does, once for each command and context. It makes no lookups in an account, so an app with missing
 * context values is rejected. It disables the CDK's template validation, the slowest part of `cdk synth`, unless
 * `CDK_VALIDATION=true`.
 */
export class Synthesizer {
  readonly #assemblies = new Map<string, Promise<string>>();

  readonly #options: SynthesizerOptions;

  constructor(options: SynthesizerOptions) {
    this.#options = options;
  }

  /** Command in cdk.json, if any. */
  async defaultApp(): Promise<string | undefined> {
    return (await this.#readCdkJson('cdk.json')).app;
  }

  /** Folder of the cloud assembly. Starts at once; equal requests share one assembly. */
  synthesize(request: SynthesisRequest): Promise<string> {
    const key = digestOf({ app: request.app, context: request.context, environment: request.environment });
    const known = this.#assemblies.get(key);
    if (known !== undefined) {
      return known;
    }
    const assembly = this.#run(request, join(this.#options.output, `assembly-${key.slice(0, 12)}`));
    assembly.catch(() => undefined); // The caller may await it only later.
    this.#assemblies.set(key, assembly);
    return assembly;
  }

  /** Resolves when no app runs. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#assemblies.values());
  }

  async #run(request: SynthesisRequest, output: string): Promise<string> {
    const finished = resolve(this.#options.directory, request.app);
    if (existsSync(join(finished, 'manifest.json')) && (await stat(finished)).isDirectory()) {
      await rejectMissingContext(finished);
      return finished;
    }
    await mkdir(output, { recursive: true });
    const { context: ownContext } = await this.#readCdkJson('cdk.json');
    const context = {
      ...TOOL_CONTEXT,
      ...ownContext,
      ...(await this.#readJson('cdk.context.json')),
      ...request.context,
    };
    await this.#spawn(request, {
      CDK_VALIDATION: 'false',
      ...process.env,
      ...request.environment,
      CDK_OUTDIR: output,
      CDK_CONTEXT_JSON: JSON.stringify(context),
      CDK_DEFAULT_ACCOUNT: REHEARSAL_ACCOUNT,
      CDK_DEFAULT_REGION: REHEARSAL_REGION,
    });
    if (!existsSync(join(output, 'manifest.json'))) {
      throw new SynthesisError(
        `${request.app}: exited with code 0 but wrote no cloud assembly: it must synthesize a CDK app (call app.synth())`,
      );
    }
    await rejectMissingContext(output);
    return output;
  }

  #spawn(request: SynthesisRequest, environment: NodeJS.ProcessEnv): Promise<void> {
    const { directory, signal } = this.#options;
    return new Promise((resolvePromise, reject) => {
      signal.throwIfAborted();
      // In its own process group, so that the shell's children can be stopped with it.
      const child = spawn(request.app, {
        cwd: directory,
        env: environment,
        shell: true,
        detached: true,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      if (child.pid !== undefined) {
        lowerPriority(child.pid);
      }
      let stderr = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        stderr = (stderr + text).slice(-MAX_STDERR_LENGTH);
      });
      const stop = () => {
        if (child.pid !== undefined) {
          stopProcessGroup(child.pid);
        }
      };
      signal.addEventListener('abort', stop, { once: true });
      process.once('exit', stop);
      const settle = (error: Error | undefined) => {
        signal.removeEventListener('abort', stop);
        process.off('exit', stop);
        if (error === undefined) {
          resolvePromise();
        } else {
          reject(error);
        }
      };
      child.on('error', (error) => settle(new SynthesisError(`${request.app}: cannot be run: ${error.message}`)));
      child.on('close', (code, killedBy) => {
        if (signal.aborted) {
          settle(new SynthesisError(`${request.app}: interrupted`));
        } else if (code !== 0) {
          const end = code === null ? `was killed by ${killedBy}` : `ended with exit code ${code}`;
          settle(new SynthesisError(`${request.app}: ${end}${stderr === '' ? '' : `:\n${stderr.trimEnd()}`}`));
        } else {
          settle(undefined);
        }
      });
    });
  }

  async #readCdkJson(name: string): Promise<z.infer<typeof cdkJsonSchema>> {
    const parsed = cdkJsonSchema.safeParse(await this.#readJson(name));
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      throw new SynthesisError(
        `${join(this.#options.directory, name)}: ${z.core.toDotPath(issue?.path ?? [])}: ${issue?.message}`,
      );
    }
    return parsed.data;
  }

  async #readJson(name: string): Promise<Record<string, Json>> {
    const file = join(this.#options.directory, name);
    if (!existsSync(file)) {
      return {};
    }
    try {
      return z.record(z.string(), z.json()).parse(JSON.parse(await readFile(file, 'utf8')));
    } catch (error) {
      throw new SynthesisError(
        `${file}: is not a JSON object: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
}

async function rejectMissingContext(assembly: string): Promise<void> {
  const file = join(assembly, 'manifest.json');
  const manifest = manifestSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  const missing = (manifest.missing ?? []).map(({ key }) => key);
  if (missing.length > 0) {
    throw new SynthesisError(
      `${file}: the app looks up ${missing.join(', ')}, but the rehearsal calls no AWS account: run \`cdk synth\` once to store the values in cdk.context.json, or pass them to the app`,
    );
  }
}

/** The next release is synthesized while the current one runs, which needs the processor first. */
function lowerPriority(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Not supported by this system, or the process has ended.
  }
}

function stopProcessGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGTERM');
  } catch {
    // It ended by itself.
  }
}
