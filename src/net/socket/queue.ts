/** What waits in a queue: it knows who is behind it. */
export interface Queued<T> {
  next: T | null;
}

/** First in, first out: a list, as nearly always one waits, and an array costs more for that. */
export class Queue<T extends Queued<T>> {
  first: T | null = null;
  #last: T | null = null;

  /** How many there are: they are counted. */
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

  /** Takes the first. */
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

  /** Takes out one that waits. */
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

  /** Takes them all, in their order. */
  takeAll(): T[] {
    const items: T[] = [];
    for (let item = this.shift(); item !== null; item = this.shift()) items.push(item);
    return items;
  }
}
