import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import type { Launch } from './images';

export interface ContainerProcessProps {
  readonly launch: Pick<Launch, 'argv' | 'cwd'>;
  readonly environment: Readonly<Record<string, string>>;
  /** A line that it wrote to stdout or stderr. */
  readonly onLine: (line: string) => void;
  /** Called once, when the process has exited and all its output was passed on. */
  readonly onExit: (exit: Exit) => void;
}

export interface Exit {
  /** As Docker gives it: 128 and the number of the signal that ended it. */
  readonly code: number;
  /** Why it never ran. */
  readonly error?: string;
}

/** Real milliseconds that the output of a process may lag behind its exit. */
const DRAIN_MS = 250;

/**
 * Command of the shell that becomes the container's process. It starts a watcher in the process group: when the other end of
 * file descriptor 3 closes, which happens however the rehearsal ends, the watcher kills the whole group, including stopped
 * processes. The container inherits neither the descriptor nor the watcher's ignored signals.
 */
const WATCHED_EXEC = '(trap "" HUP INT TERM; read -r _ <&3; kill -9 0) </dev/null >/dev/null 2>&1 & exec "$@" 3<&-';

/**
 * A container, here a process that leads a group (and session) of its own. Signals go to the process itself, as they go to
 * a container's first process; when it has exited, what it left behind in its group is ended, as with a container.
 * Needs a POSIX shell.
 */
export class ContainerProcess {
  readonly #props: ContainerProcessProps;
  readonly #child: ChildProcess;
  #exited = false;

  constructor(props: ContainerProcessProps) {
    this.#props = props;
    this.#child = spawn('/bin/sh', ['-c', WATCHED_EXEC, 'container', ...props.launch.argv], {
      cwd: props.launch.cwd,
      env: props.environment,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    const { stdout, stderr } = this.#child;
    const lines = [stdout, stderr].map((stream) => (stream === null ? undefined : this.#read(stream)));
    // The end of the group closes it; this is not an error.
    this.#child.stdio[3]?.on('error', () => undefined);
    this.#child.once('error', (error) => this.#finish({ code: 127, error: error.message }));
    this.#child.once('exit', (code, signal) => {
      this.#endGroup();
      const exit = { code: code ?? 128 + (signal === null ? 0 : constants.signals[signal]) };
      const timer = setTimeout(() => this.#finish(exit), DRAIN_MS);
      void Promise.all(lines).then(() => {
        clearTimeout(timer);
        this.#finish(exit);
      });
    });
  }

  get processId(): number | undefined {
    return this.#child.pid;
  }

  get alive(): boolean {
    return !this.#exited;
  }

  /** Asks the process to end. */
  terminate(): void {
    this.#child.kill('SIGTERM');
  }

  /** Ends the whole group at once. */
  kill(): void {
    this.#endGroup();
  }

  /** Suspends the process; its child processes continue. */
  suspend(): void {
    this.#child.kill('SIGSTOP');
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }

  #finish(exit: Exit): void {
    if (!this.#exited) {
      this.#exited = true;
      this.#props.onExit(exit);
    }
  }

  #endGroup(): void {
    const { pid } = this.#child;
    if (pid === undefined || this.#exited) {
      return;
    }
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // The group has no process left.
    }
  }

  /** Resolves when the stream has ended. */
  #read(stream: Readable): Promise<void> {
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line !== '') {
          this.#props.onLine(line);
        }
      }
    });
    return new Promise((resolve) => {
      stream.once('close', () => {
        if (rest !== '') {
          this.#props.onLine(rest);
          rest = '';
        }
        resolve();
      });
    });
  }
}
