import { LinkedList, type ListNode } from './linked-list';

/**
 * Values in groups, served round robin over the groups, so that the backlog of one group does not delay the others. First in,
 * first out within a group. Every operation takes constant time.
 */
export class RoundRobinQueue<T> {
  /** Groups with values, next to be served first. */
  readonly #turns = new LinkedList<MessageGroup<T>>();
  readonly #groups = new Map<string, MessageGroup<T>>();
  #count = 0;

  get size(): number {
    return this.#count;
  }

  /** @param groupId values without one share a group */
  add(groupId: string | undefined, value: T): QueueEntry<T> {
    const id = groupId ?? '';
    let group = this.#groups.get(id);
    if (group === undefined) {
      group = { id, values: new LinkedList<T>(), turn: undefined };
      group.turn = this.#turns.push(group);
      this.#groups.set(id, group);
    }
    this.#count += 1;
    return { group, node: group.values.push(value) };
  }

  /** Takes the next value; its group is served last from now on. */
  take(): T | undefined {
    const group = this.#turns.first;
    const value = group?.values.shift();
    if (group === undefined || value === undefined) {
      return undefined;
    }
    this.#count -= 1;
    this.#endTurn(group);
    if (group.values.size > 0) {
      group.turn = this.#turns.push(group);
    } else {
      this.#groups.delete(group.id);
    }
    return value;
  }

  /** Takes a value out of turn. */
  remove(place: QueueEntry<T>): void {
    const { group, node } = place;
    if (node.list !== group.values) {
      return;
    }
    group.values.remove(node);
    this.#count -= 1;
    if (group.values.size === 0) {
      this.#endTurn(group);
      this.#groups.delete(group.id);
    }
  }

  #endTurn(group: MessageGroup<T>): void {
    if (group.turn !== undefined) {
      this.#turns.remove(group.turn);
      group.turn = undefined;
    }
  }
}

/** Position of a value in the queue. */
export interface QueueEntry<T> {
  readonly group: MessageGroup<T>;
  readonly node: ListNode<T>;
}

interface MessageGroup<T> {
  readonly id: string;
  readonly values: LinkedList<T>;
  turn: ListNode<MessageGroup<T>> | undefined;
}
