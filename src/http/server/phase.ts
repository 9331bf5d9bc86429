/** What a connection waits for: its next request, the end of that one's head, or an answer and the body. */
export const IDLE = 0;
export const HEAD = 1;
export const SERVING = 2;

export type Phase = typeof IDLE | typeof HEAD | typeof SERVING;

/** Checks whether bytes are transferred when they should be. */
export class Progress {
  #moved = 0;
  #movedAt = 0;

  /**
   * Whether none have been transferred for `limit` milliseconds. @param waits whether some should be. @param moved
   * their number so far.
   */
  isStuck(waits: boolean, moved: number, time: number, limit: number): boolean {
    if (!waits || moved !== this.#moved) {
      this.#moved = moved;
      this.#movedAt = time;
    }
    return waits && time - this.#movedAt >= limit;
  }
}
