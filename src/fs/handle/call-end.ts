/**
 * The end of a call, for the calls that wait for it. They do not await its own promise: that is its caller's alone. The
 * stack of an error shows who awaits a promise only if there is just one, and the process learns of an error that the
 * caller does not handle only if no one else does.
 */
export class CallEnd {
  #ended = false;
  #promise: Promise<void> | null = null;
  #resolve: (() => void) | null = null;

  /** Resolves when the call has ended. */
  get promise(): Promise<void> {
    this.#promise ??= this.#ended
      ? Promise.resolve()
      : new Promise(resolve => {
          this.#resolve = resolve;
        });
    return this.#promise;
  }

  settle(): void {
    this.#ended = true;
    this.#resolve?.();
  }
}

/** The promise of a call for its caller, which settles once `ended` was called. */
export function endingWith<T>(call: Promise<T>, ended: () => void): Promise<T> {
  return call.then(
    result => {
      ended();
      return result;
    },
    error => {
      ended();
      throw error;
    },
  );
}
