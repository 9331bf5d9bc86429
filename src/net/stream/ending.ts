/** Has what arrives dropped. */
export interface Discard {
  /** `length` bytes were dropped; returns false to stop for now. */
  dropped(length: number): boolean;
}

/** How receiving ends: nothing that arrives is read any more. */
export class Ending {
  /** Is told of the bytes that are received only to be dropped. */
  #discard: Discard | null;
  #onStopped: (() => void) | null;
  /** Whether enough has been dropped for now. */
  #held = false;

  constructor(discard: Discard | null, onStopped: () => void) {
    this.#discard = discard;
    this.#onStopped = onStopped;
  }

  /** Whether what arrives is received, to be dropped. */
  get discards(): boolean {
    return this.#discard !== null;
  }

  get held(): boolean {
    return this.#held;
  }

  /** `length` bytes were dropped; whether receiving is to pause, now for the first time. */
  pausesAfter(length: number): boolean {
    if (this.#discard === null || this.#held || this.#discard.dropped(length)) return false;
    this.#held = true;
    return true;
  }

  /** Receiving goes on; false if it was not held. */
  resume(): boolean {
    const { held } = this;
    this.#held = false;
    return held;
  }

  /** It is over, once. */
  stopped(): void {
    const onStopped = this.#onStopped;
    this.#onStopped = null;
    this.#discard = null;
    onStopped?.();
  }
}
