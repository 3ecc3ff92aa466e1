import type { Style } from './style';

/** Receives the events of a run as they happen, one line per event. */
export interface Progress {
  /** `subject` is the release that the line is about, and empty for the run itself. */
  log(subject: string, text: string, tone?: Tone): void;
}

export type Tone = 'success' | 'failure' | 'dim' | 'plain';

/** Prefixes each line with the real seconds since the start. */
export class LineProgress implements Progress {
  readonly #start = performance.now();
  readonly #write: (line: string) => void;
  readonly #style: Style;

  constructor(write: (line: string) => void, style: Style) {
    this.#write = write;
    this.#style = style;
  }

  log(subject: string, text: string, tone: Tone = 'plain'): void {
    const seconds = ((performance.now() - this.#start) / 1000).toFixed(1).padStart(6);
    const styled = tone === 'plain' ? text : this.#style[tone](text);
    this.#write(`${this.#style.dim(`${seconds} s`)}  ${subject.padEnd(10)}  ${styled}`);
  }
}
