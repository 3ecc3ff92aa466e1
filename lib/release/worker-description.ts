import type { Duration } from 'aws-cdk-lib';

/** What of a worker goes into a release. */
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
   * environment. A value that is known only at deployment takes part by its name.
   */
  readonly settings: { [name: string]: string };

  /**
   * How the worker is run, which is no part of the release: number of workers, kind of capacity, network. Staging and
   * production are compared by it.
   *
   * @default nothing to compare
   */
  readonly operation?: { [name: string]: string };

  /** Longest that the worker may run one task. */
  readonly timeout: Duration;

  /** Files that the code was made of, for the provenance of the release. */
  readonly sources: string[];
}
