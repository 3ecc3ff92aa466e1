import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

/** A container, as a process of its own. */
export class ContainerProcess {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #exit: Promise<number | string>;

  constructor(command: readonly string[], environment: Readonly<Record<string, string | undefined>>) {
    const [program = '', ...args] = command;
    this.#child = spawn(program, args, {
      env: { PATH: process.env.PATH, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#exit = once(this.#child, 'exit').then(([code, signal]) => code ?? signal);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream !== null) {
        createInterface({ input: stream }).on('line', (line) => this.lines.push(line));
      }
    }
  }

  /** Exit code, or the signal that ended it. */
  get exit(): Promise<number | string> {
    return this.#exit;
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get text(): string {
    return this.lines.join('\n');
  }

  /** Log lines, parsed, whose message holds the text. */
  logs(message = ''): Record<string, unknown>[] {
    return this.lines
      .flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Record<string, unknown>] : []))
      .filter((line) => String(line.message ?? '').includes(message));
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Ends it if it is still there. */
  async end(): Promise<void> {
    if (this.isAlive) {
      this.signal('SIGKILL');
    }
    await this.#exit;
  }
}

/** A port on this machine that no process has at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) {
    throw new Error('no port');
  }
  return address.port;
}

/** Waits until the condition holds. @throws Error naming what was waited for */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string | (() => string),
  seconds = 20,
): Promise<void> {
  const end = Date.now() + seconds * 1_000;
  while (!(await condition())) {
    if (Date.now() > end) {
      throw new Error(`waited ${seconds} seconds for ${typeof what === 'string' ? what : what()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
