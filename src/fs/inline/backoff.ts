/** The maximum number of attempts to skip before the next one. */
const SKIP_MAX = 64;

/** Records refusals of a fast path, so that it is tried less and less often, and always again after a success. */
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
