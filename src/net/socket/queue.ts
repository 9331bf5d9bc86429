/** An element of a queue, with a link to the next one. */
export interface Queued<T> {
  next: T | null;
}

/** First in, first out. It is a list: nearly always one element waits, and an array would cost more. */
export class Queue<T extends Queued<T>> {
  first: T | null = null;
  #last: T | null = null;

  /** The number of elements, which this counts. */
  get length(): number {
    let length = 0;
    for (let entry = this.first; entry !== null; entry = entry.next) length++;
    return length;
  }

  get empty(): boolean {
    return this.first === null;
  }

  push(item: T): void {
    if (this.#last === null) this.first = item;
    else this.#last.next = item;
    this.#last = item;
  }

  /** Removes and returns the first. */
  shift(): T | null {
    const item = this.first;
    if (item === null) return null;
    this.first = item.next;
    if (this.first === null) this.#last = null;
    item.next = null;
    return item;
  }

  /** The first that passes `test`, null if none does. */
  find(test: (item: T) => boolean): T | null {
    let item = this.first;
    while (item !== null && !test(item)) item = item.next;
    return item;
  }

  /** Removes an element. */
  remove(item: T): void {
    if (item === this.first) {
      this.shift();
      return;
    }
    let before = this.first!;
    while (before.next !== item) before = before.next!;
    before.next = item.next;
    if (item === this.#last) this.#last = before;
    item.next = null;
  }

  /** Removes all, in order. */
  takeAll(): T[] {
    const items: T[] = [];
    for (let item = this.shift(); item !== null; item = this.shift()) items.push(item);
    return items;
  }
}
