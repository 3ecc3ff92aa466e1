import { randomBytes } from 'node:crypto';
import { Env } from '../../../lib/contract/environment';
import type { RehearsalClock } from '../../core/clock';
import { bootstrapProgram } from '../../core/package-root';
import type { IamPort, LogsPort, MetricsPort } from '../../core/ports';
import { REHEARSAL_ACCOUNT, REHEARSAL_REGION } from '../../core/resource';
import { ExecutionEnvironment } from './execution-environment';
import type { FunctionVersion } from './model';

export interface EnvironmentFactoryProps {
  readonly clock: RehearsalClock;
  readonly iam: IamPort;
  readonly logs: LogsPort;
  readonly metrics: MetricsPort;
  readonly endpointUrl: () => string;
  /** Where segment documents go by UDP: `host:port`. @default nowhere */
  readonly xrayAddress?: string;
  /** Folder with the modules that the runtime brings along. */
  readonly runtimeModules: string;
  /** @default the package's own */
  readonly bootstrap?: string;
  readonly extraEnvironment?: (functionName: string) => Readonly<Record<string, string>>;
}

/** Real seconds for loading the handler, beside the function's own timeout: the init phase of an environment. */
const INIT_SECONDS = 10;

/** Where an environment's lines go. */
interface LogTarget {
  readonly group: string;
  readonly stream: string;
  /** Whether the role may write there; Lambda drops the lines silently if not. */
  readonly permitted: boolean;
}

/** Starts environments with the variables, the credentials and the log stream that Lambda would give them. */
export class EnvironmentFactory {
  readonly #props: EnvironmentFactoryProps;
  readonly #targets = new WeakMap<ExecutionEnvironment, LogTarget>();
  readonly #bootstrap: string;
  #started = 0;

  constructor(props: EnvironmentFactoryProps) {
    this.#props = props;
    this.#bootstrap = props.bootstrap ?? bootstrapProgram();
  }

  boot(version: FunctionVersion, onEnd: () => void): ExecutionEnvironment {
    this.#started += 1;
    const { settings } = version;
    const stream = this.#logStream(version);
    const target: LogTarget = { group: settings.logGroup, stream, permitted: this.#mayLog(version, stream) };
    const environment = new ExecutionEnvironment({
      id: `${version.functionName}:${version.version}#${this.#started}`,
      bootstrap: this.#bootstrap,
      setup: {
        codeDirectory: settings.code.directory,
        handler: settings.handler,
        functionName: version.functionName,
        functionVersion: version.version,
        memoryMiB: settings.memoryMiB,
        logGroup: settings.logGroup,
        logStream: stream,
      },
      variables: this.#variables(version, stream),
      setupTimeoutMs: (INIT_SECONDS + settings.timeoutSeconds) * 1000,
      onLine: (line) => this.#write(target, line),
      onEnd,
    });
    this.#targets.set(environment, target);
    return environment;
  }

  /** A line of Lambda itself in the environment's log stream. */
  log(environment: ExecutionEnvironment, line: string): void {
    const target = this.#targets.get(environment);
    if (target?.permitted) {
      this.#props.logs.write(target.group, target.stream, line);
    }
  }

  #write(target: LogTarget, line: string): void {
    if (target.permitted) {
      this.#props.logs.write(target.group, target.stream, line);
      this.#props.metrics.ingestLogLine(line);
    }
  }

  #logStream(version: FunctionVersion): string {
    const day = new Date(this.#props.clock.now()).toISOString().slice(0, 10).replaceAll('-', '/');
    return `${day}/[${version.version}]${randomBytes(16).toString('hex')}`;
  }

  #mayLog({ functionName, settings }: FunctionVersion, stream: string): boolean {
    const { iam } = this.#props;
    const principal = iam.principalOf(iam.sessionFor(settings.roleArn, functionName).accessKeyId);
    const group = `arn:aws:logs:${REHEARSAL_REGION}:${REHEARSAL_ACCOUNT}:log-group:${settings.logGroup}`;
    const resource = `${group}:log-stream:${stream}`;
    return (
      principal !== undefined &&
      ['logs:CreateLogStream', 'logs:PutLogEvents'].every(
        (action) => iam.decide(principal, { action, resource }).allowed,
      )
    );
  }

  /** @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime */
  #variables(version: FunctionVersion, stream: string): Record<string, string> {
    const props = this.#props;
    const { settings, functionName } = version;
    const credentials = props.iam.sessionFor(settings.roleArn, functionName);
    return {
      ...settings.environment,
      ...props.extraEnvironment?.(functionName),
      PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
      LANG: 'en_US.UTF-8',
      TZ: 'UTC',
      HOME: settings.code.directory,
      NODE_PATH: props.runtimeModules,
      LAMBDA_TASK_ROOT: settings.code.directory,
      _HANDLER: settings.handler,
      AWS_REGION: REHEARSAL_REGION,
      AWS_DEFAULT_REGION: REHEARSAL_REGION,
      AWS_EXECUTION_ENV: `AWS_Lambda_${settings.runtime}`,
      AWS_LAMBDA_FUNCTION_NAME: functionName,
      AWS_LAMBDA_FUNCTION_VERSION: version.version,
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(settings.memoryMiB),
      AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
      AWS_LAMBDA_LOG_GROUP_NAME: settings.logGroup,
      AWS_LAMBDA_LOG_STREAM_NAME: stream,
      AWS_LAMBDA_LOG_FORMAT: settings.logFormat,
      ...(settings.logLevel === undefined ? {} : { AWS_LAMBDA_LOG_LEVEL: settings.logLevel }),
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_SESSION_TOKEN: credentials.sessionToken,
      AWS_ENDPOINT_URL: props.endpointUrl(),
      ...(props.xrayAddress === undefined ? {} : { AWS_XRAY_DAEMON_ADDRESS: props.xrayAddress }),
      // Nothing of this machine's own AWS settings may reach the function.
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
      [Env.CLOCK]: JSON.stringify(props.clock.settings()),
    };
  }
}
