/** Drops received data. */
export interface Discard {
  /** `length` bytes were dropped; returns false to pause. */
  dropped(length: number): boolean;
}

/** The end of receiving: no received data is read any more. */
export class Ending {
  /** Notified of bytes that are received only to be dropped. */
  #discard: Discard | null;
  #onStopped: (() => void) | null;
  /** Whether dropping is paused. */
  #held = false;

  constructor(discard: Discard | null, onStopped: () => void) {
    this.#discard = discard;
    this.#onStopped = onStopped;
  }

  /** Whether data is received, to be dropped. */
  get discards(): boolean {
    return this.#discard !== null;
  }

  get held(): boolean {
    return this.#held;
  }

  /** `length` bytes were dropped; returns whether receiving should pause, now for the first time. */
  pausesAfter(length: number): boolean {
    if (this.#discard === null || this.#held || this.#discard.dropped(length)) return false;
    this.#held = true;
    return true;
  }

  /** Resumes receiving; false if it was not paused. */
  resume(): boolean {
    const { held } = this;
    this.#held = false;
    return held;
  }

  /** Receiving has ended. Called once. */
  stopped(): void {
    const onStopped = this.#onStopped;
    this.#onStopped = null;
    this.#discard = null;
    onStopped?.();
  }
}
