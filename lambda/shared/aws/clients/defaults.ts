/**
 * Settings that every SDK client of the functions shares. Region, credentials and endpoint come from the environment, as
 * the SDK reads it.
 *
 * One client per file, so that a function (and a user's bundle of the worker) carries only the clients it calls. A client
 * is made once per environment (see `once`) and keeps its connections over invocations.
 */
export interface ClientTimeouts {
  /** Milliseconds until a connection must stand. @default 1000 */
  readonly connectionTimeout?: number;
  /** Milliseconds for one attempt of one request. @default 5000 */
  readonly requestTimeout?: number;
  /** Attempts in all, the first included. @default 3 */
  readonly maxAttempts?: number;
}

/**
 * Without these limits the SDK waits forever on a dead connection, and the function ends at its timeout without a report.
 */
export function clientDefaults({
  connectionTimeout = 1_000,
  requestTimeout = 5_000,
  maxAttempts = 3,
}: ClientTimeouts = {}) {
  return {
    maxAttempts,
    retryMode: 'standard',
    requestHandler: { connectionTimeout, requestTimeout, throwOnRequestTimeout: true },
  } as const;
}
