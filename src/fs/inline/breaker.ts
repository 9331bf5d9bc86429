/** The pause per millisecond of a slow call, in milliseconds: slow calls take at most 1 % of the time. */
const PAUSE_FACTOR = 100;
const PAUSE_MAX = 60_000;
/** A slow call within this many pauses after the last one doubles the pause. */
const MEMORY = 8;
/** How many calls after a slow one are watched, to see whether they wait or only lose the CPU to another thread. */
const WATCHED = 64;

/** Stops making calls at once after they turned out to be slow, for a while, and longer each time. */
export class Breaker {
  #pause = 0;
  /** When it closes again, in milliseconds. */
  #until = 0;

  /** How many more calls are watched. */
  #watched = 0;

  /** Whether to count the waits of the next call, which costs a tenth of a call. */
  get watches(): boolean {
    if (this.#watched === 0) return false;
    this.#watched--;
    return true;
  }

  /** A call took long. */
  suspect(): void {
    this.#watched = WATCHED;
  }

  /** Whether calls take the other way now. */
  isOpen(time: number): boolean {
    return time < this.#until;
  }

  /** A call that ended at `time` waited, and took `elapsed` milliseconds. */
  open(time: number, elapsed: number): void {
    const again = time < this.#until + MEMORY * this.#pause ? this.#pause * 2 : 0;
    this.#pause = Math.min(Math.max(elapsed * PAUSE_FACTOR, again), PAUSE_MAX);
    this.#until = time + this.#pause;
    this.suspect();
  }
}
