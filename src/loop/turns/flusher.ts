import type { Loop } from '../loop.js';
import { throwLater } from '../operation/uncaught.js';
import { perLoop } from '../per-loop.js';
import { isExiting, noteExit } from './exiting.js';

/** Something with bytes to send. */
export interface Flushable {
  /** Sends them; while the loop is closing, fails instead. */
  flush(): void;
}

/**
 * The senders that were written to in this burst. Their bytes leave when the burst is over, those of one stream
 * together, and at the latest when the process exits.
 */
export class Flusher {
  readonly #loop: Loop;
  #waiting: Flushable[] = [];

  protected constructor(loop: Loop) {
    this.#loop = loop;
    noteExit();
    // Before the loop of a worker is closed.
    process.prependListener('exit', this.#flushLast);
    loop.onClosing(() => {
      process.off('exit', this.#flushLast);
      this.#flush();
    });
  }

  /** The flusher of a loop. */
  static readonly of = perLoop(loop => new Flusher(loop));

  add(sender: Flushable): void {
    if (this.#waiting.push(sender) !== 1) return;
    if (isExiting()) this.#flushLast();
    else this.#loop.soon(this.#flush);
  }

  /** All senders have been flushed. */
  protected flushed(): void {}

  readonly #flush = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const sender of waiting) {
      try {
        sender.flush();
      } catch (error) {
        // The others must not wait for ever.
        throwLater(error);
      }
    }
    if (this.#waiting.length === 0) this.flushed();
  };

  /** Sends what the sockets take now. */
  readonly #flushLast = (): void => {
    noteExit();
    if (this.#waiting.length === 0) return;
    this.#flush();
    this.#loop.submitLast();
  };
}
