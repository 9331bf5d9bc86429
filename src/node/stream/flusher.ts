import type { Loop } from '../../loop/loop.js';
import { perLoop } from '../../loop/per-loop.js';
import { Flusher } from '../../loop/turns/flusher.js';
import { Outbox } from './outbox.js';

/** The streams that were written to in this burst, and where their small writes are until it is over. */
export class StreamFlusher extends Flusher {
  readonly outbox: Outbox;

  private constructor(loop: Loop) {
    super(loop);
    this.outbox = new Outbox(loop);
  }

  /** The flusher of a loop's streams. */
  static override readonly of = perLoop(loop => new StreamFlusher(loop));

  protected override flushed(): void {
    this.outbox.clear();
  }
}
