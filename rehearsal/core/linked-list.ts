/** Doubly linked list: add at the end, take from the start, remove anywhere, each in constant time. */
export class LinkedList<T> {
  #head: ListNode<T> | undefined;
  #tail: ListNode<T> | undefined;
  #count = 0;

  get size(): number {
    return this.#count;
  }

  get first(): T | undefined {
    return this.#head?.value;
  }

  push(value: T): ListNode<T> {
    const node: ListNode<T> = { value, previous: this.#tail, next: undefined, list: this };
    if (this.#tail === undefined) {
      this.#head = node;
    } else {
      this.#tail.next = node;
    }
    this.#tail = node;
    this.#count += 1;
    return node;
  }

  shift(): T | undefined {
    const node = this.#head;
    if (node === undefined) {
      return undefined;
    }
    this.remove(node);
    return node.value;
  }

  /** Does nothing for a node that was removed before. */
  remove(node: ListNode<T>): void {
    if (node.list !== this) {
      return;
    }
    if (node.previous === undefined) {
      this.#head = node.next;
    } else {
      node.previous.next = node.next;
    }
    if (node.next === undefined) {
      this.#tail = node.previous;
    } else {
      node.next.previous = node.previous;
    }
    node.list = undefined;
    this.#count -= 1;
  }
}

export interface ListNode<T> {
  readonly value: T;
  previous: ListNode<T> | undefined;
  next: ListNode<T> | undefined;
  list: LinkedList<T> | undefined;
}
