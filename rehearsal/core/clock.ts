/**
 * The clock of the rehearsal: everything that AWS would time (visibility, bake times, alarm periods, expiry) uses it. Times are milliseconds since 1970 in the cloud's time; with `speed` 60 a real second is a cloud minute.
 */
export interface RehearsalClock {
  /** Cloud milliseconds per real millisecond. */
  readonly speed: number;
  now(): number;
  /** Runs `task` once after the given cloud milliseconds. The timer does not keep the process alive. */
  after(milliseconds: number, task: () => void): Timer;
  /** Resolves after the given cloud milliseconds; rejects with the signal's reason when it aborts first. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** Settings for a child process whose clock must match this one; see `Env.CLOCK` in lib/contract. */
  settings(): { readonly realEpochMs: number; readonly cloudEpochMs: number; readonly speed: number };
}

export interface Timer {
  cancel(): void;
}
