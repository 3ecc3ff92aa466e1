import type { Style } from './style';

/** Where a run says what happens, as it happens: one line per notable event. */
export interface Progress {
  /** `subject` is the release that the line is about; empty for the run itself. */
  say(subject: string, text: string, tone?: Tone): void;
}

export type Tone = 'good' | 'bad' | 'dim' | 'plain';

/** Writes lines with the real seconds since the start. */
export class LineProgress implements Progress {
  private readonly start = performance.now();

  constructor(
    private readonly write: (line: string) => void,
    private readonly style: Style,
  ) {}

  say(subject: string, text: string, tone: Tone = 'plain'): void {
    const seconds = ((performance.now() - this.start) / 1000).toFixed(1).padStart(6);
    const shown = tone === 'plain' ? text : this.style[tone](text);
    this.write(`${this.style.dim(`${seconds} s`)}  ${subject.padEnd(10)}  ${shown}`);
  }
}

/** ResolvedEnvironment nothing: for tests. */
export const SILENT: Progress = { say: () => undefined };
