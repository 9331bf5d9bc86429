/** At most this many attempts are skipped before the next one. */
const SKIP_MAX = 64;

/** Remembers that a fast way has been refused, so that it is tried less and less, and again after a success. */
export class Backoff {
  #skip = 0;
  #next = 1;

  /** Whether to try. */
  get tries(): boolean {
    if (this.#skip === 0) return true;
    this.#skip--;
    return false;
  }

  taken(): void {
    this.#next = 1;
  }

  refused(): void {
    this.#skip = this.#next - 1;
    this.#next = Math.min(this.#next * 2, SKIP_MAX);
  }
}
