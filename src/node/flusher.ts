import type { Loop } from '../loop/loop.js';
import { perLoop } from '../loop/per-loop.js';
import { Outbox } from './outbox.js';

/** Something with bytes to send. */
export interface Flushable {
  flush(): void;
}

/**
 * Collects the writers of a burst. Their bytes are sent once it is over, those of one stream together, and at the
 * latest when the process exits.
 */
export class Flusher {
  /** Where small writes are until then. */
  readonly outbox: Outbox;
  readonly #loop: Loop;
  #waiting: Flushable[] = [];

  private constructor(loop: Loop) {
    this.#loop = loop;
    this.outbox = new Outbox(loop);
    process.on('exit', () => this.#flushLast());
  }

  /** The flusher of a loop. */
  static readonly of = perLoop(loop => new Flusher(loop));

  add(sender: Flushable): void {
    if (this.#waiting.push(sender) === 1) this.#loop.soon(this.#flush);
  }

  readonly #flush = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const sender of waiting) sender.flush();
    if (this.#waiting.length === 0) this.outbox.clear();
  };

  /** Nothing runs after this: sends what the sockets take now. */
  #flushLast(): void {
    if (this.#loop.closed || this.#waiting.length === 0) return;
    this.#flush();
    this.#loop.flush();
  }
}
