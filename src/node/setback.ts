/** How many calls go by until the next try, at first and at most. */
const FIRST = 8;
const MOST = 4096;

/**
 * That the loop could not be made, or that there was no memory for it. Descriptors and memory may be free later: it is
 * tried again after some calls, each time after more of them.
 */
export class Setback {
  #left = 0;
  #pause = FIRST;

  /** Whether it is too early to try again. Each call counts. */
  skips(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    return true;
  }

  /** It has failed again. */
  note(): void {
    this.#left = this.#pause;
    this.#pause = Math.min(this.#pause * 2, MOST);
  }
}
