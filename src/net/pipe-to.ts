import { AbortError, throwIfAborted } from '../loop/abort.js';
import { BLOCK_MAX, type Block, type BlockPool, type BlockWaiter } from '../loop/blocks.js';
import type { Inbox } from './inbox.js';
import type { Sink } from './reader.js';
import type { ReceiveBuffers } from './receive-buffers.js';
import type { Receiver } from './receiver.js';
import type { Sender } from './sender.js';

/** How `pipeTo` goes. */
export interface PipeToOptions {
  /** Aborting it ends the piping with an `AbortError`; what has been read is still written. */
  signal?: AbortSignal | undefined;
  /** Whether the end of the one ends the other's sending side; default true. */
  end?: boolean | undefined;
}

/**
 * Carries bytes from where they arrive to where they leave, through one block at a time: what arrives
 * while the block is being sent waits at the receiver, which stops receiving when that is too much.
 */
class Pipe implements Sink, BlockWaiter {
  /** Bytes taken from the receiver. */
  moved = 0;
  /** Why nothing more can be sent. */
  error: Error | null = null;
  readonly #receiver: Receiver;
  readonly #sender: Sender;
  readonly #blocks: BlockPool;
  /** What is being filled, until what arrives together has arrived. */
  #block: Block | null = null;
  #filled = 0;
  #sending = false;
  #waiting = false;
  #onIdle: (() => void) | null = null;

  constructor(receiver: Receiver, sender: Sender) {
    this.#receiver = receiver;
    this.#sender = sender;
    this.#blocks = receiver.loop.blocks;
  }

  take(buffers: ReceiveBuffers, length: number, flags: number): boolean {
    if (this.#sending || this.#receiver.loop.closing) return false;
    const block = this.#block ?? this.#acquire(length);
    if (block === null || block.bytes.length - this.#filled < length) return false;
    buffers.takeInto(block.bytes, this.#filled, length, flags);
    this.#filled += length;
    return true;
  }

  /** A block for the bytes that have just arrived, and for those that may come in the same batch. */
  #acquire(length: number): Block | null {
    this.#block = this.#blocks.acquire(length);
    if (this.#block !== null) queueMicrotask(this.#send);
    return this.#block;
  }

  drain(inbox: Inbox): void {
    if (inbox.length === 0 || this.#sending || this.#waiting || this.#block !== null) return;
    if (this.#receiver.loop.closing) return;
    this.#block = this.#blocks.acquire(Math.min(inbox.length, BLOCK_MAX));
    if (this.#block === null) {
      this.#waiting = true;
      this.#blocks.wait(this);
      return;
    }
    this.#filled = inbox.moveTo(this.#block.bytes, 0);
    this.#send();
  }

  blockReleased(): void {
    this.#waiting = false;
    this.#receiver.resume();
  }

  readonly #send = (): void => {
    const block = this.#block!;
    this.#sending = true;
    this.moved += this.#filled;
    this.#sender.writeBlock(block, this.#filled).then(this.#onSent, this.#onFailed);
    this.#block = null;
    this.#filled = 0;
  };

  readonly #onSent = (): void => {
    this.#sending = false;
    this.#receiver.resume();
    this.#settleIdle();
  };

  readonly #onFailed = (error: Error): void => {
    this.#sending = false;
    this.error = error;
    // It must not wait for bytes that may never come.
    this.#receiver.unforward(this, error);
    this.#settleIdle();
  };

  #settleIdle(): void {
    if (!this.#sending) this.#onIdle?.();
  }

  /** Resolves when all that was taken has been sent, or could not be. */
  idle(): Promise<void> {
    if (!this.#sending && this.#block === null) return Promise.resolve();
    return new Promise(resolve => {
      this.#onIdle = resolve;
    });
  }
}

/**
 * Moves all that arrives at `receiver` to `sender`. Resolves to the number of bytes once the peer has ended
 * and all is sent.
 */
export async function pipe(receiver: Receiver, sender: Sender, signal?: AbortSignal): Promise<number> {
  const pipe = new Pipe(receiver, sender);
  try {
    await receiver.forward(pipe, { signal });
  } catch (error) {
    // An abort from outside waits for no write.
    if (!signal?.aborted) await pipe.idle();
    throw pipe.error ?? error;
  }
  await unlessAborted(pipe.idle(), signal);
  if (pipe.error !== null) throw pipe.error;
  return pipe.moved;
}

/** Waits for a write, and no longer once the signal is aborted. */
async function unlessAborted(writing: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return writing;
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(new AbortError(signal));
  });
  signal.addEventListener('abort', onAbort!);
  try {
    await Promise.race([writing, aborted]);
    throwIfAborted(signal);
  } finally {
    signal.removeEventListener('abort', onAbort!);
  }
}
