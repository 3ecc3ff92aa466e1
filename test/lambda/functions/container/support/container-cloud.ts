import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { Env, type LaneName, type TaskRecord } from '../../../../../lib/contract';
import { ScaledClock } from '../../../../../rehearsal/core/scaled-clock';
import { type HttpStub, startStub } from '../../../worker/support/http-stub';
import { TaskCloud } from '../../../worker/support/task-cloud';
import { ContainerProcess, freePort } from './container-process';
import { EcsAgent } from './ecs-agent';
import { LaneQueues } from './lane-queues';

const ROOT = join(__dirname, '../../../../..');

/** The program of the worker's image. */
export const WORKER_PROGRAM = join(ROOT, 'assets/worker/index.js');

export interface WorkerOptions {
  /** Program of the container. @default that of the worker's image */
  readonly program?: string;
  readonly agentPort?: number;
  readonly lane?: LaneName;
  readonly concurrency?: number;
  readonly stopTimeoutSeconds?: number;
  readonly settings?: Readonly<Record<string, string | undefined>>;
}

/** What containers speak to: tables, bucket, secrets, model, queues and ECS, all on the wire, on one clock. */
export class ContainerCloud {
  readonly #processes: ContainerProcess[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), 'container-cloud-'));

  private constructor(
    readonly clock: ScaledClock,
    readonly tasks: TaskCloud,
    readonly queues: LaneQueues,
    readonly ecs: EcsAgent,
    readonly xray: HttpStub,
  ) {}

  /** @param speed cloud seconds in a real second */
  static async start(speed: number): Promise<ContainerCloud> {
    const clock = new ScaledClock({ speed });
    return new ContainerCloud(
      clock,
      await TaskCloud.start(),
      await LaneQueues.start(clock),
      await EcsAgent.start(),
      await startStub(() => ({ body: { UnprocessedTraceSegments: [] } })),
    );
  }

  /** Bundles a module whose default export is an agent, as the program of a container. @returns its path */
  async bundle(name: string, agent: string): Promise<string> {
    const entry = join(this.#folder, `${name}.ts`);
    const outfile = join(this.#folder, `${name}.js`);
    writeFileSync(entry, agent);
    await build({
      stdin: {
        contents: [
          "import { runContainer } from 'cdk-agent-lanes/container';",
          `runContainer(async () => (await import(${JSON.stringify(entry)})).default);`,
        ].join('\n'),
        resolveDir: ROOT,
        loader: 'ts',
      },
      alias: {
        'cdk-agent-lanes/container': join(ROOT, 'lambda/functions/container/index.ts'),
        'cdk-agent-lanes/runtime': join(ROOT, 'lambda/runtime/index.ts'),
        zod: join(ROOT, 'node_modules/zod'),
      },
      outfile,
      bundle: true,
      platform: 'node',
      target: 'node24',
      format: 'cjs',
      logLevel: 'error',
    });
    return outfile;
  }

  /** Starts a worker. */
  async worker({
    program = WORKER_PROGRAM,
    agentPort,
    lane = 'stable',
    concurrency = 2,
    stopTimeoutSeconds = 120,
    settings = {},
  }: WorkerOptions = {}): Promise<ContainerProcess & { readonly port: number }> {
    const port = await freePort();
    const queues = Object.fromEntries((['stable', 'candidate'] as const).map((each) => [each, this.queues.urls(each)]));
    const dead = Object.fromEntries(
      (['stable', 'candidate'] as const).map((each) => [each, this.queues.url(`${each}-dead`)]),
    );
    const started = this.start([process.execPath, program], {
      ...this.tasks.environment(),
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
      ...this.ecs.environment(),
      AWS_ENDPOINT_URL_SQS: this.queues.endpoint,
      AWS_ENDPOINT_URL_XRAY: this.xray.endpoint,
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      [Env.QUEUES]: JSON.stringify(queues),
      [Env.DEAD_LETTER_QUEUES]: JSON.stringify(dead),
      [Env.WEBHOOK_QUEUE]: undefined,
      [Env.CLOCK]: JSON.stringify(this.clock.settings()),
      [Env.LANE]: lane,
      [Env.CONCURRENCY]: String(concurrency),
      [Env.STOP_TIMEOUT_SECONDS]: String(stopTimeoutSeconds),
      [Env.WORKER_PORT]: String(port),
      ...(agentPort === undefined ? {} : { [Env.AGENT_PORT]: String(agentPort) }),
      ...settings,
    });
    return Object.assign(started, { port });
  }

  /** Starts a process that ends with the cloud. */
  start(command: readonly string[], environment: Readonly<Record<string, string | undefined>>): ContainerProcess {
    const started = new ContainerProcess(command, environment);
    this.#processes.push(started);
    return started;
  }

  /** A task with its message in the queue. */
  async submit(changes: Partial<TaskRecord> = {}): Promise<TaskRecord> {
    const now = this.clock.now();
    const task = await this.tasks.putTask({
      createdAt: now,
      expiresAt: Math.ceil(now / 1000) + 86_400,
      ...changes,
    });
    await this.queues.send(task);
    return task;
  }

  /** Ends what was started, and forgets the rest. */
  async reset(): Promise<void> {
    await Promise.all(this.#processes.map((each) => each.end()));
    this.#processes.length = 0;
    await this.queues.purge();
    this.tasks.reset();
    this.ecs.changes.length = 0;
    this.ecs.answer = ({ body }) => ({ body: { protection: body } });
  }

  async close(): Promise<void> {
    await this.reset();
    await Promise.all([this.tasks.close(), this.queues.close(), this.ecs.close(), this.xray.close()]);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
