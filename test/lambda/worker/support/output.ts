import { z } from 'zod';

const metricLineSchema = z.looseObject({
  _aws: z.object({
    Timestamp: z.number(),
    CloudWatchMetrics: z.array(
      z.object({
        Namespace: z.string(),
        Dimensions: z.array(z.array(z.string())),
        Metrics: z.array(z.object({ Name: z.string(), Unit: z.string() })),
      }),
    ),
  }),
});
export type MetricLine = z.infer<typeof metricLineSchema>;

/** What the code under test writes to standard output, line by line, as Lambda would take it to the log. */
export class Output {
  readonly #lines: string[] = [];
  readonly #spies: jest.SpyInstance[] = [];

  constructor() {
    for (const stream of [process.stdout, process.stderr]) {
      this.#spies.push(
        jest.spyOn(stream, 'write').mockImplementation((chunk) => {
          this.#lines.push(...String(chunk).split('\n').filter(Boolean));
          return true;
        }),
      );
    }
  }

  get text(): string {
    return this.#lines.join('\n');
  }

  /** Log lines, parsed. */
  logs(): Record<string, unknown>[] {
    return this.#parsed().filter((line) => !('_aws' in line));
  }

  log(message: string | RegExp): Record<string, unknown> {
    const found = this.logs().find((line) => String(line.message).match(message));
    if (found === undefined) {
      throw new Error(`no log line says ${message}; there are:\n${this.text}`);
    }
    return found;
  }

  metrics(): MetricLine[] {
    return this.#parsed()
      .filter((line) => '_aws' in line)
      .map((line) => metricLineSchema.parse(line));
  }

  restore(): void {
    for (const spy of this.#spies) {
      spy.mockRestore();
    }
  }

  #parsed(): Record<string, unknown>[] {
    return this.#lines.flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));
  }
}
