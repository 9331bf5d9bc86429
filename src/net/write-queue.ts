import { promiseOf, type Settler } from '../loop/settler.js';

export const NO_BYTES = Buffer.alloc(0);

/** One `write()` that the kernel has not taken whole yet. */
export class Write implements Settler<void> {
  resolve!: Settler<void>['resolve'];
  reject!: (error: unknown) => void;
  readonly promise: Promise<void> = promiseOf(this);
  /** The write after it. */
  next: Write | null = null;
  /** Bytes that are in a block, or sent. */
  copied: number;
  readonly length: number;
  /** The bytes to copy; none if all are in a block from the start. */
  readonly data: Uint8Array;
  /** Where the bytes are if they are sent in place, else 0. */
  address = 0;
  /** Set if it sends nothing, and holds back those behind it: see `Sender.hold`. */
  readonly holder: (() => void) | null;

  constructor(data: Uint8Array, length: number, copied: number, holder: (() => void) | null = null) {
    this.data = data;
    this.length = length;
    this.copied = copied;
    this.holder = holder;
  }

  /** Whether the buffer was detached or shrunk while it waited: its bytes are gone. */
  get lost(): boolean {
    return this.data.length < this.length && this.data !== NO_BYTES;
  }

  /** Whether its bytes are to be copied and may leave together with others. */
  get copies(): boolean {
    return this.holder === null && this.address === 0;
  }
}

/** Writes in their order: a list, as nearly always there is one, and an array costs more for that. */
export class WriteQueue {
  first: Write | null = null;
  #last: Write | null = null;

  get empty(): boolean {
    return this.first === null;
  }

  push(write: Write): void {
    if (this.#last === null) this.first = write;
    else this.#last.next = write;
    this.#last = write;
  }

  /** Takes the first. */
  shift(): Write | null {
    const write = this.first;
    if (write === null) return null;
    this.first = write.next;
    if (this.first === null) this.#last = null;
    return write;
  }

  /** Takes out the one that has this holder, if there is one. */
  remove(holder: () => void): Write | null {
    let before: Write | null = null;
    for (let write = this.first; write !== null; write = write.next) {
      if (write.holder === holder) {
        if (before === null) this.first = write.next;
        else before.next = write.next;
        if (write === this.#last) this.#last = before;
        return write;
      }
      before = write;
    }
    return null;
  }
}
