import { CallEnd, endingWith } from './call-end.js';

/** A change under way: the bytes that it changes, and when it has ended. */
interface Change {
  readonly from: number;
  readonly to: number;
  readonly ending: CallEnd;
}

/**
 * The changes of a file that are under way, or wait. One that overlaps with an earlier one starts when that has ended:
 * the kernel, and the pieces into which a write is cut when memory is short, may do them in another order.
 */
export class Overlaps {
  readonly #changes = new Set<Change>();
  /** No change under way reaches further. */
  #end = 0;

  /** Whether none is under way. */
  get none(): boolean {
    return this.#changes.size === 0;
  }

  /** Resolves when the earlier changes of a range have ended; null if there are none. */
  before(from: number, to: number): Promise<unknown> | null {
    if (this.#changes.size === 0 || from >= this.#end) return null;
    const earlier: Promise<void>[] = [];
    for (const change of this.#changes) {
      if (change.from < to && from < change.to) earlier.push(change.ending.promise);
    }
    return earlier.length === 0 ? null : Promise.all(earlier);
  }

  /** A change has begun, or waits for its turn. Returns its promise for the caller. */
  add<T>(from: number, to: number, change: Promise<T>): Promise<T> {
    this.#end = this.#changes.size === 0 ? to : Math.max(this.#end, to);
    const added: Change = { from, to, ending: new CallEnd() };
    this.#changes.add(added);
    return endingWith(change, () => {
      this.#changes.delete(added);
      added.ending.settle();
    });
  }
}
