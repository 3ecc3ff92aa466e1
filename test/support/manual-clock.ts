import type { RehearsalClock, Timer } from '../../rehearsal/core/clock';
import { sleepOn } from '../../rehearsal/core/scaled-clock';

interface Pending {
  readonly due: number;
  readonly task: () => void;
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements RehearsalClock {
  readonly speed = 1;
  private time: number;
  /** In order of registration; of two that are due at the same time, the first set runs first. */
  private readonly pending = new Set<Pending>();

  /** @param startAt cloud milliseconds since 1970. */
  constructor(startAt = Date.UTC(2030, 0, 1)) {
    this.time = startAt;
  }

  now(): number {
    return this.time;
  }

  after(milliseconds: number, task: () => void): Timer {
    const entry = { due: this.time + Math.max(0, milliseconds), task };
    this.pending.add(entry);
    return { cancel: () => this.pending.delete(entry) };
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, milliseconds, signal);
  }

  /** Number of timers that wait. */
  get timers(): number {
    return this.pending.size;
  }

  /**
   * Moves the clock on. Timers that fall due run in order, each at its own time, and what they resolve is let run
   * before the next one; timers that they set run as well if they fall due within the span.
   */
  async advance(milliseconds: number): Promise<void> {
    if (!(milliseconds >= 0)) {
      throw new RangeError(`advance of the manual clock: got ${milliseconds} ms, expected 0 or more`);
    }
    const end = this.time + milliseconds;
    await settle();
    for (let next = this.earliest(end); next !== undefined; next = this.earliest(end)) {
      this.pending.delete(next);
      this.time = Math.max(this.time, next.due);
      next.task();
      await settle();
    }
    this.time = end;
    await settle();
  }

  /** A process that is handed these settings starts at this clock's time and then runs in real time. */
  settings(): { readonly realEpochMs: number; readonly cloudEpochMs: number; readonly speed: number } {
    return { realEpochMs: Date.now(), cloudEpochMs: this.time, speed: this.speed };
  }

  private earliest(end: number): Pending | undefined {
    let found: Pending | undefined;
    for (const entry of this.pending) {
      if (entry.due <= end && (found === undefined || entry.due < found.due)) found = entry;
    }
    return found;
  }
}

/** Lets promise chains run, also those that pass through a few turns of the event loop. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
}
