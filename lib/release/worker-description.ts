import type { Duration } from 'aws-cdk-lib';

/** The part of a worker that belongs to a release. */
export interface WorkerDescription {
  /** SHA-256 (64 hexadecimal digits) of the code that runs the agent. */
  readonly codeDigest: string;

  /**
   * SHA-256 of what of this library runs beside the agent: the worker and the clients of the model providers.
   *
   * @default - the code holds the library already
   */
  readonly libraryDigest?: string;

  /**
   * Settings under which the code runs, concrete values only: kind, runtime, architecture, memory, timeout,
   * environment. Of a value that is known only at deployment the name alone is included.
   */
  readonly settings: { [name: string]: string };

  /**
   * How the worker is run, which is not part of the release: number of workers, capacity, network. Staging and production
   * are compared by it.
   *
   * @default - nothing to compare
   */
  readonly operation?: { [name: string]: string };

  /** Longest time that the worker may work on one task without interruption. */
  readonly timeout: Duration;

  /** Source files of the code, for the provenance of the release. */
  readonly sources: string[];
}
