import type { MetricDimensions } from '../../core/ports';

/** Which metric: namespace, name and the exact set of dimensions. CloudWatch never adds dimension sets up. */
export interface MetricIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: MetricDimensions;
}

export interface MetricStoreOptions {
  /** Values older than this, in cloud milliseconds, are dropped. @default 26 hours: an alarm looks back one day at most */
  readonly retentionMs?: number;
  /** Most values held; beyond it the oldest go. @default 2,000,000 */
  readonly maxValues?: number;
}

/** Finest period of an alarm: 10 seconds. Values are kept in slots of this length. */
export const SLOT_MS = 10_000;

const NO_UNIT = 'None';

/** Raw values of every metric, in slots of ten seconds of the cloud's time. */
export class MetricStore {
  readonly #series = new Map<string, Map<string, Map<number, number[]>>>();
  readonly #retentionMs: number;
  readonly #maxValues: number;
  #held = 0;
  #newestSlot = Number.NEGATIVE_INFINITY;
  #oldestSlot = Number.POSITIVE_INFINITY;

  constructor(options: MetricStoreOptions = {}) {
    this.#retentionMs = options.retentionMs ?? 26 * 3_600_000;
    this.#maxValues = options.maxValues ?? 2_000_000;
  }

  put(metric: MetricIdentity, at: number, values: readonly number[], unit = NO_UNIT): void {
    const key = keyOf(metric);
    let units = this.#series.get(key);
    if (units === undefined) {
      units = new Map();
      this.#series.set(key, units);
    }
    let slots = units.get(unit);
    if (slots === undefined) {
      slots = new Map();
      units.set(unit, slots);
    }
    const slot = Math.floor(at / SLOT_MS);
    const held = slots.get(slot);
    if (held === undefined) {
      slots.set(slot, [...values]);
    } else {
      for (const value of values) {
        held.push(value);
      }
    }
    this.#held += values.length;
    this.#oldestSlot = Math.min(this.#oldestSlot, slot);
    if (slot > this.#newestSlot) {
      this.#newestSlot = slot;
      this.#dropBefore(slot - Math.ceil(this.#retentionMs / SLOT_MS));
    }
    while (this.#held > this.#maxValues && this.#oldestSlot < this.#newestSlot) {
      // A tenth of the time span at once: dropping walks every series.
      this.#dropBefore(this.#oldestSlot + Math.max(1, Math.ceil((this.#newestSlot - this.#oldestSlot) / 10)));
    }
  }

  /** Values from `start` (inclusive) to `end` (exclusive), both multiples of {@link SLOT_MS}. Without unit: of any unit. */
  values(metric: MetricIdentity, start: number, end: number, unit?: string): readonly number[] {
    const units = this.#series.get(keyOf(metric));
    if (units === undefined) {
      return [];
    }
    const found: number[] = [];
    for (const [candidate, slots] of units) {
      if (unit !== undefined && unit !== candidate) {
        continue;
      }
      for (let slot = Math.floor(start / SLOT_MS); slot * SLOT_MS < end; slot++) {
        for (const value of slots.get(slot) ?? []) {
          found.push(value);
        }
      }
    }
    return found;
  }

  /** Whether the metric ever had a value, dropped ones included. */
  hasReceived(metric: MetricIdentity): boolean {
    return this.#series.has(keyOf(metric));
  }

  /** Values held now. */
  size(): number {
    return this.#held;
  }

  #dropBefore(firstKept: number): void {
    if (firstKept <= this.#oldestSlot) {
      return;
    }
    let oldest = Number.POSITIVE_INFINITY;
    for (const units of this.#series.values()) {
      for (const slots of units.values()) {
        for (const [slot, values] of slots) {
          if (slot < firstKept) {
            this.#held -= values.length;
            slots.delete(slot);
          } else {
            oldest = Math.min(oldest, slot);
          }
        }
      }
    }
    this.#oldestSlot = oldest;
  }
}

function keyOf(metric: MetricIdentity): string {
  const dimensions = Object.entries(metric.dimensions)
    .map(([name, value]) => JSON.stringify([name, value]))
    .sort();
  return JSON.stringify([metric.namespace, metric.name, dimensions]);
}
