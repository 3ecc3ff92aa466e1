import { type ChildProcess, fork } from 'node:child_process';
import type { Readable } from 'node:stream';
import { handlerNode } from '../../core/handler-node';
import type { FromEnvironment, FunctionErrorPayload, Invocation, Setup, ToEnvironment } from './protocol';

/** Result of an invocation. */
export interface InvocationOutcome {
  /** JSON text. */
  readonly payload: string;
  readonly failed: boolean;
  /** Real milliseconds from handing over the event to the result. */
  readonly durationMs: number;
  readonly maxMemoryMiB: number;
  /** Whether the process has exited: crashed, timed out, killed. */
  readonly environmentLost: boolean;
}

export interface ExecutionEnvironmentProps {
  readonly id: string;
  /** The bundled `bootstrap.ts`. */
  readonly bootstrap: string;
  readonly setup: Omit<Setup, 'kind' | 'endMark'>;
  readonly variables: Readonly<Record<string, string>>;
  /** Real milliseconds that loading the handler may take. */
  readonly setupTimeoutMs: number;
  /** A line that the function wrote to stdout or stderr. */
  readonly onLine: (line: string) => void;
  /** Called once, when the process has exited. */
  readonly onEnd: () => void;
}

/** Real milliseconds that the output of a process may lag behind its exit. */
const DRAIN_MS = 250;

/**
 * Real milliseconds without an invocation after which a process is stopped. Lambda freezes it at once; here that would cost
 * two signals and two context switches for each of several consecutive invocations.
 */
const FREEZE_AFTER_MS = 50;

/**
 * One execution environment: a process that runs one invocation at a time and is frozen in between, as on AWS, so that
 * background work of a handler does not continue. The process sees the function's environment variables and none of the
 * rehearsal's.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
 */
export class ExecutionEnvironment {
  readonly #props: ExecutionEnvironmentProps;
  readonly id: string;
  /** Undefined when the handler loaded; else the error payload as JSON text. */
  readonly ready: Promise<string | undefined>;
  /** Real milliseconds from the start of the process until the handler was loaded. */
  bootMs = 0;
  readonly #child: ChildProcess;
  readonly #endMark: string;
  #current:
    | { readonly invocation: Invocation; readonly end: (outcome: Omit<InvocationOutcome, 'durationMs'>) => void }
    | undefined;
  #result: Extract<FromEnvironment, { kind: 'done' }> | undefined;
  /** Streams that have passed on everything up to the end of the invocation. */
  readonly #endMarks = new Set<'stdout' | 'stderr'>();
  #frozen = false;
  #freezing: NodeJS.Timeout | undefined;
  #suspended: NodeJS.Timeout | undefined;
  #ended = false;
  #killReason: string | undefined;

  constructor(props: ExecutionEnvironmentProps) {
    this.#props = props;
    this.id = props.id;
    this.#endMark = `\u0000end-of-invocation ${props.id} `;
    const started = performance.now();
    this.#child = fork(props.bootstrap, [], {
      cwd: props.setup.codeDirectory,
      env: props.variables,
      execPath: handlerNode().program,
      execArgv: [`--max-old-space-size=${props.setup.memoryMiB}`],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.ready = new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.kill('setup timed out');
        settle(failure('Sandbox.Timedout', `Init phase timed out after ${props.setupTimeoutMs / 1000} seconds`));
      }, props.setupTimeoutMs);
      const settle = (error: string | undefined) => {
        clearTimeout(timer);
        this.bootMs = performance.now() - started;
        resolve(error);
      };
      this.#child.on('message', (message: FromEnvironment) => {
        if (message.kind === 'ready') {
          settle(undefined);
        } else if (message.kind === 'setup_failed') {
          settle(message.error);
        } else {
          this.#result = message;
          this.#finishIfComplete();
        }
      });
      this.#child.once('error', (error) => {
        this.#onExit(`could not be started: ${error.message}`);
        settle(failure('Runtime.ExitError', `Error: Runtime could not be started: ${error.message}`));
      });
      this.#child.once('exit', (code, signal) => {
        const how = signal === null ? `exit status ${code}` : `signal: ${signal === 'SIGKILL' ? 'killed' : signal}`;
        settle(failure('Runtime.ExitError', `Error: Runtime exited with error: ${how}`));
        this.#onExit(how);
      });
    });
    if (this.#child.stdout !== null && this.#child.stderr !== null) {
      this.#read(this.#child.stdout, 'stdout');
      this.#read(this.#child.stderr, 'stderr');
    }
    this.#send({ kind: 'setup', endMark: this.#endMark, ...props.setup });
  }

  get alive(): boolean {
    return !this.#ended;
  }

  get busyWith(): string | undefined {
    return this.#current?.invocation.requestId;
  }

  get processId(): number | undefined {
    return this.#child.pid;
  }

  /** Runs one invocation; the environment must be ready and idle. Never rejects. */
  run(invocation: Omit<Invocation, 'kind' | 'deadline'>, timeoutSeconds: number): Promise<InvocationOutcome> {
    const started = performance.now();
    const message: Invocation = { kind: 'invoke', ...invocation, deadline: Date.now() + timeoutSeconds * 1000 };
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.kill(timedOut(timeoutSeconds)), timeoutSeconds * 1000);
      this.#result = undefined;
      this.#endMarks.clear();
      this.#current = {
        invocation: message,
        end: (outcome) => {
          clearTimeout(timer);
          this.#current = undefined;
          const durationMs = Math.min(performance.now() - started, timeoutSeconds * 1000);
          resolve({ ...outcome, durationMs });
        },
      };
      if (this.#ended) {
        this.#failInvocation('Error: Runtime exited without providing a reason');
        return;
      }
      this.#thaw();
      this.#send(message);
    });
  }

  /** Ends the process at once, frozen or not. @param reason shown by the invocation that it interrupts */
  kill(reason: string): void {
    this.#killReason ??= reason;
    this.#child.kill('SIGKILL');
  }

  /**
   * Suspends the process during its invocation for the given real milliseconds. False if it has no invocation or is
   * suspended already.
   */
  suspend(milliseconds: number): boolean {
    if (this.#current === undefined || this.#ended || this.#suspended !== undefined || !this.#child.kill('SIGSTOP')) {
      return false;
    }
    this.#suspended = setTimeout(() => {
      this.#suspended = undefined;
      // An invocation that had just ended leaves the process frozen, as it should be then.
      if (!this.#frozen) {
        this.#child.kill('SIGCONT');
      }
    }, milliseconds);
    this.#suspended.unref();
    return true;
  }

  #read(stream: Readable, name: 'stdout' | 'stderr'): void {
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line.startsWith(this.#endMark)) {
          this.#endMarks.add(name);
          this.#finishIfComplete();
        } else if (line !== '') {
          this.#props.onLine(line);
        }
      }
    });
    stream.once('end', () => {
      if (rest !== '') {
        this.#props.onLine(rest);
      }
    });
  }

  /** The result and the output arrive on different channels; the invocation is over when all of it has arrived. */
  #finishIfComplete(): void {
    const result = this.#result;
    const current = this.#current;
    if (result === undefined || current === undefined || this.#endMarks.size < 2) {
      return;
    }
    this.#freezeSoon();
    const { payload, failed, maxMemoryMiB } = result;
    current.end({ payload, failed, maxMemoryMiB, environmentLost: false });
  }

  #onExit(how: string): void {
    if (this.#ended) {
      return;
    }
    this.#ended = true;
    clearTimeout(this.#freezing);
    clearTimeout(this.#suspended);
    // The last output of the process may arrive after its exit.
    const finish = () => {
      clearTimeout(timer);
      this.#failInvocation(this.#killReason ?? `Error: Runtime exited with error: ${how}`);
      this.#props.onEnd();
    };
    const timer = setTimeout(finish, DRAIN_MS);
    this.#child.once('close', finish);
  }

  #failInvocation(reason: string): void {
    const current = this.#current;
    const result = this.#result;
    if (current === undefined) {
      return;
    }
    const { requestId } = current.invocation;
    const type = reason.startsWith('Error: Task timed out') ? 'Sandbox.Timedout' : 'Runtime.ExitError';
    const payload = result?.failed === true ? result.payload : failure(type, `RequestId: ${requestId} ${reason}`);
    current.end({ payload, failed: true, maxMemoryMiB: result?.maxMemoryMiB ?? 0, environmentLost: true });
  }

  #send(message: ToEnvironment): void {
    // This fails if the process has exited; the exit event handles that.
    this.#child.send(message, () => undefined);
  }

  #freezeSoon(): void {
    if (process.platform !== 'win32') {
      this.#freezing = setTimeout(() => {
        this.#frozen = this.#child.kill('SIGSTOP');
      }, FREEZE_AFTER_MS);
      this.#freezing.unref();
    }
  }

  #thaw(): void {
    clearTimeout(this.#freezing);
    if (this.#frozen) {
      this.#child.kill('SIGCONT');
      this.#frozen = false;
    }
  }
}

function timedOut(seconds: number): string {
  return `Error: Task timed out after ${seconds.toFixed(2)} seconds`;
}

function failure(errorType: string, errorMessage: string): string {
  const payload: FunctionErrorPayload = { errorType, errorMessage };
  return JSON.stringify(payload);
}
