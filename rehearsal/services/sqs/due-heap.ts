interface Entry<T> {
  readonly at: number;
  /** Order of addition: of two that are due at the same time, the first added comes first. */
  readonly order: number;
  readonly value: T;
}

/** Binary heap of values that are due at a time (milliseconds), earliest first. */
export class DueHeap<T> {
  readonly #entries: Entry<T>[] = [];
  #added = 0;

  get nextAt(): number | undefined {
    return this.#entries[0]?.at;
  }

  add(at: number, value: T): void {
    const entries = this.#entries;
    this.#added += 1;
    const added = { at, order: this.#added, value };
    let index = entries.length;
    entries.push(added);
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = entries[parentIndex];
      if (parent === undefined || isBefore(parent, added)) {
        break;
      }
      entries[index] = parent;
      index = parentIndex;
    }
    entries[index] = added;
  }

  /** Takes the earliest value that is due at `now`; undefined when none is. */
  takeDue(now: number): T | undefined {
    const entries = this.#entries;
    const top = entries[0];
    if (top === undefined || top.at > now) {
      return undefined;
    }
    const last = entries.pop();
    if (last !== undefined && entries.length > 0) {
      this.#sink(last);
    }
    return top.value;
  }

  #sink(moved: Entry<T>): void {
    const entries = this.#entries;
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      const leftEntry = entries[left];
      const rightEntry = entries[left + 1];
      if (leftEntry === undefined) {
        break;
      }
      const [childIndex, child] =
        rightEntry !== undefined && isBefore(rightEntry, leftEntry) ? [left + 1, rightEntry] : [left, leftEntry];
      if (isBefore(moved, child)) {
        break;
      }
      entries[index] = child;
      index = childIndex;
    }
    entries[index] = moved;
  }
}

function isBefore<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
