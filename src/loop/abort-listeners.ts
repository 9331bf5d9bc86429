/** Is called when a signal is aborted. It must not throw. */
export interface AbortListener {
  onAbort(): void;
}

/**
 * All who listen to one signal, behind one listener of Node's. A program may have one signal for thousands
 * of calls: Node looks through all listeners for each that comes and goes, and Node 20 warns of the eleventh.
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

  /** A listener that is removed meanwhile is not called. */
  handleEvent(): void {
    for (const listener of this.#listeners) listener.onAbort();
  }
}

const ofSignals = new WeakMap<AbortSignal, AbortListeners>();

/** Has `listener` told when the signal is aborted, which it is not yet; `ignoreAbort` takes it back. */
export function listenForAbort(signal: AbortSignal, listener: AbortListener): void {
  let listeners = ofSignals.get(signal);
  if (listeners === undefined) {
    listeners = new AbortListeners(signal);
    ofSignals.set(signal, listeners);
  }
  listeners.add(listener);
}

/** The listener is told no more. */
export function ignoreAbort(signal: AbortSignal, listener: AbortListener): void {
  ofSignals.get(signal)?.delete(listener);
}
