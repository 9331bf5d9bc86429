import type { Loop } from '../../loop/loop.js';
import { Operation } from '../../loop/operation.js';
import { closedError } from '../../ring/errors.js';

/** What others see of the sending side of a connection: how far it is, and whether all is sent or nothing can be. */
export abstract class SendingSide extends Operation {
  /** Whom it sends to, see `peerNameOf`. */
  readonly peer: string;
  /** Bytes that the kernel has taken. */
  bytesWritten = 0;
  /** Bytes of writes that it has not taken. */
  bufferedAmount = 0;
  #ended = false;
  /** How to have each pipe end that leads here: it may wait for bytes that never come. */
  #pipes: Set<(error: Error) => void> | null = null;
  #onDrained: (() => void)[] | null = null;

  constructor(loop: Loop, peer: string) {
    super(loop);
    this.peer = peer;
  }

  override get syscall(): string {
    return 'write';
  }

  /** Whether there is nothing to wait for before the socket is closed. */
  abstract get idle(): boolean;

  /** Whether nothing may be written after what was. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Nothing may be written after this: pipes send what they have, and end. */
  end(): void {
    if (this.piped) this.endPipes(closedError('The other connection'));
    this.#ended = true;
  }

  /** Whether a pipe leads here. */
  get piped(): boolean {
    return this.#pipes !== null && this.#pipes.size !== 0;
  }

  /** Has `end` called, once or more, when nothing more can be written. */
  addPipe(end: (error: Error) => void): void {
    this.#pipes ??= new Set();
    this.#pipes.add(end);
  }

  removePipe(end: (error: Error) => void): void {
    this.#pipes!.delete(end);
  }

  /** Has the pipes that lead here end. */
  endPipes(error: Error): void {
    if (this.#pipes !== null) for (const end of this.#pipes) end(error);
  }

  /** Calls back when nothing is left to send. */
  whenDrained(callback: () => void): void {
    if (this.idle) {
      callback();
      return;
    }
    this.#onDrained ??= [];
    this.#onDrained.push(callback);
  }

  /** Takes back a `whenDrained`. */
  forgetDrained(callback: () => void): void {
    if (this.#onDrained !== null) this.#onDrained = this.#onDrained.filter(other => other !== callback);
  }

  /** All is sent, or nothing more can be: those who wait for that are told. */
  protected settleDrained(): void {
    const callbacks = this.#onDrained;
    if (callbacks === null || !this.idle) return;
    this.#onDrained = null;
    for (const callback of callbacks) callback();
  }
}
