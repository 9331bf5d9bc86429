/** Called when a signal is aborted. It must not throw. */
export interface AbortListener {
  onAbort(): void;
}

/**
 * All listeners of one signal, behind one listener of Node's. A program may use one signal for thousands of calls: Node
 * searches all listeners on each addition and removal, and Node 20 warns of the eleventh.
 */
class AbortListeners {
  readonly #signal: AbortSignal;
  readonly #listeners = new Set<AbortListener>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  add(listener: AbortListener): void {
    if (this.#listeners.size === 0) this.#signal.addEventListener('abort', this);
    this.#listeners.add(listener);
  }

  delete(listener: AbortListener): void {
    // A signal without listeners can be collected.
    if (this.#listeners.delete(listener) && this.#listeners.size === 0) {
      this.#signal.removeEventListener('abort', this);
    }
  }

  /** A listener that is removed in the meantime is not called. */
  handleEvent(): void {
    for (const listener of this.#listeners) listener.onAbort();
  }
}

const ofSignals = new WeakMap<AbortSignal, AbortListeners>();

/** Calls `listener` when the signal is aborted, which it must not be yet; `ignoreAbort` undoes this. */
export function listenForAbort(signal: AbortSignal, listener: AbortListener): void {
  let listeners = ofSignals.get(signal);
  if (listeners === undefined) {
    listeners = new AbortListeners(signal);
    ofSignals.set(signal, listeners);
  }
  listeners.add(listener);
}

/** Stops calling the listener. */
export function ignoreAbort(signal: AbortSignal, listener: AbortListener): void {
  ofSignals.get(signal)?.delete(listener);
}
