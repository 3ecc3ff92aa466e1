import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RehearsalClock } from '../../core/clock';
import type { FaultsPort } from '../../core/faults';
import type { IamPort, LambdaPort, LogsPort, MetricsPort } from '../../core/ports';
import type { ResourceHandler } from '../../core/resource';
import type { RehearsalService } from '../../core/service';
import type { LambdaSqsPort } from '../sqs';
import { AsyncQueue } from './async-queue';
import { CodeStore } from './code-store';
import { EnvironmentFactory } from './environment-factory';
import { type EnvironmentView, Fleet } from './fleet';
import { Invoker } from './invoker';
import { Functions } from './model';
import { LambdaOperations } from './operations';
import {
  EventInvokeConfigHandler,
  EventSourceMappingHandler,
  FunctionHandler,
  PermissionHandler,
  VersionHandler,
} from './resources';

export type { EnvironmentView } from './fleet';

export interface LambdaDeps {
  readonly clock: RehearsalClock;
  readonly iam: IamPort;
  readonly logs: LogsPort;
  readonly metrics: MetricsPort;
  readonly sqs: LambdaSqsPort;
  /** Base URL of the API server: the functions' `AWS_ENDPOINT_URL`. */
  readonly endpointUrl: () => string;
  /** The functions' `AWS_XRAY_DAEMON_ADDRESS`. @default - none */
  readonly xrayAddress?: string;
  /** Folder of the asset in the cloud assembly; undefined if it does not exist. */
  readonly assetPath: (bucket: string, key: string) => string | undefined;
  /** Variables that a function gets in addition to the template's. @default - none */
  readonly extraEnvironment?: (functionName: string) => Readonly<Record<string, string>>;
  /** Folder for copies of the code. @default - a temporary one, removed by `stop` */
  readonly workspace?: string;
  /** Bundle of `bootstrap.ts`. @default - the one in the package's assets */
  readonly bootstrap?: string;
  /** Draws an alias's version. @default Math.random */
  readonly random?: () => number;
  /** Maximum number of processes. @default - eight per processor, 12 to 24 */
  readonly maxEnvironments?: number;
  /** Real seconds that an environment may be idle. @default 60 */
  readonly idleSeconds?: number;
  /** Called for errors of the rehearsal and for mappings whose function was deleted. @default - printed to stderr */
  readonly onFault?: (error: unknown, where: string) => void;
  /** Injected faults. @default - none */
  readonly faults?: FaultsPort;
}

export interface Lambda {
  readonly service: RehearsalService;
  /** All but `AWS::Lambda::Alias`, which the module of CodeDeploy provides. */
  readonly handlers: readonly ResourceHandler[];
  readonly port: LambdaPort & { versionExists(functionName: string, version: string): boolean };
  /** Execution environments alive now. */
  environments(): readonly EnvironmentView[];
  /** Ends an environment as a crash would; its current invocation fails. False if there is none with this id. */
  kill(environmentId: string): boolean;
  /** Stops polling, ends every process. */
  stop(): Promise<void>;
}

/** Lambda: functions run from the assembly's assets in processes of their own; see {@link Fleet} and {@link Invoker}. */
export function createLambda(deps: LambdaDeps): Lambda {
  const { clock, iam, logs, metrics, sqs } = deps;
  const onFault = deps.onFault ?? ((error, where) => console.error(`rehearsal: fault in ${where}:`, error));
  const workspace = deps.workspace ?? mkdtempSync(join(tmpdir(), 'agent-lanes-rehearsal-'));
  const code = new CodeStore(workspace, deps.assetPath);
  const factory = new EnvironmentFactory({
    clock,
    iam,
    logs,
    metrics,
    endpointUrl: deps.endpointUrl,
    runtimeModules: code.runtimeModules,
    xrayAddress: deps.xrayAddress,
    bootstrap: deps.bootstrap,
    extraEnvironment: deps.extraEnvironment,
  });
  const fleet = new Fleet({
    boot: (version, onEnd) => factory.boot(version, onEnd),
    maxEnvironments: deps.maxEnvironments ?? Math.min(24, Math.max(12, 8 * availableParallelism())),
    idleMs: (deps.idleSeconds ?? 60) * 1000,
  });
  const functions = new Functions(deps.random ?? Math.random, (version) => fleet.retire(version));
  const asyncQueue = new AsyncQueue(
    clock,
    metrics,
    (run) => {
      if (functions.has(run.name)) {
        const { deadLetterArn } = functions.resolve(run.name, undefined).version.settings;
        if (deadLetterArn !== undefined) {
          sqs.send(deadLetterArn, run.payload);
        }
      }
    },
    (error) => onFault(error, 'a dead-letter queue of Lambda'),
  );
  const invoker = new Invoker(
    {
      clock,
      iam,
      metrics,
      functions,
      fleet,
      log: (environment, line) => factory.log(environment, line),
      faults: deps.faults,
    },
    asyncQueue,
  );
  const mappings = new EventSourceMappingHandler(functions, sqs, iam, {
    clock,
    sqs,
    run: (run) => invoker.run(run),
    faults: deps.faults,
    onFault: (error) => onFault(error, 'an event source mapping'),
  });
  // Suspended processes do not notice the end of the rehearsal.
  const killAll = () => fleet.killAll();
  process.once('exit', killAll);
  return {
    service: new LambdaOperations(functions, invoker),
    handlers: [
      new FunctionHandler(functions, code, iam),
      new VersionHandler(functions),
      new PermissionHandler(functions, iam),
      mappings,
      new EventInvokeConfigHandler(functions, asyncQueue),
    ],
    port: {
      invoke: (request) => invoker.invoke(request),
      getAlias: (functionName, name) => functions.alias(functionName, name),
      putAlias: (alias) => functions.putAlias(alias),
      deleteAlias: (functionName, name) => functions.deleteAlias(functionName, name),
      versionExists: (functionName, version) => functions.hasVersion(functionName, version),
    },
    environments: () => fleet.environments(),
    kill: (environmentId) => fleet.kill(environmentId),
    stop: async () => {
      mappings.stop();
      asyncQueue.stop();
      await fleet.stop();
      process.off('exit', killAll);
      if (deps.workspace === undefined) {
        await rm(workspace, { recursive: true, force: true });
      }
    },
  };
}
