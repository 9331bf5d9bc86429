/** Who depends on the sending side of a connection: pipes that lead there, and calls that wait until all is sent. */
export class Dependents {
  /** How to have each pipe end: it may wait for bytes that never come. */
  readonly #pipes = new Set<(error: Error) => void>();
  #onDrained: (() => void)[] = [];

  /** Whether a pipe leads there. */
  get piped(): boolean {
    return this.#pipes.size !== 0;
  }

  addPipe(end: (error: Error) => void): void {
    this.#pipes.add(end);
  }

  removePipe(end: (error: Error) => void): void {
    this.#pipes.delete(end);
  }

  endPipes(error: Error): void {
    for (const end of this.#pipes) end(error);
  }

  whenDrained(callback: () => void): void {
    this.#onDrained.push(callback);
  }

  forgetDrained(callback: () => void): void {
    this.#onDrained = this.#onDrained.filter(other => other !== callback);
  }

  /** All is sent, or nothing more can be. */
  drained(): void {
    if (this.#onDrained.length === 0) return;
    const callbacks = this.#onDrained;
    this.#onDrained = [];
    for (const callback of callbacks) callback();
  }
}
