/** Binary heap of values that are due at a time (milliseconds), earliest first. */
export class DueHeap<T> {
  private readonly entries: { readonly at: number; readonly value: T }[] = [];

  get nextAt(): number | undefined {
    return this.entries[0]?.at;
  }

  add(at: number, value: T): void {
    const { entries } = this;
    let index = entries.length;
    const added = { at, value };
    entries.push(added);
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = entries[parentIndex];
      if (parent === undefined || parent.at <= at) {
        break;
      }
      entries[index] = parent;
      index = parentIndex;
    }
    entries[index] = added;
  }

  /** Takes the earliest value that is due at `now`; undefined when none is. */
  takeDue(now: number): T | undefined {
    const { entries } = this;
    const top = entries[0];
    if (top === undefined || top.at > now) {
      return undefined;
    }
    const last = entries.pop();
    if (last !== undefined && entries.length > 0) {
      this.sink(last);
    }
    return top.value;
  }

  private sink(moved: { readonly at: number; readonly value: T }): void {
    const { entries } = this;
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      const leftEntry = entries[left];
      const rightEntry = entries[left + 1];
      if (leftEntry === undefined) {
        break;
      }
      const [childIndex, child] =
        rightEntry !== undefined && rightEntry.at < leftEntry.at ? [left + 1, rightEntry] : [left, leftEntry];
      if (moved.at <= child.at) {
        break;
      }
      entries[index] = child;
      index = childIndex;
    }
    entries[index] = moved;
  }
}
