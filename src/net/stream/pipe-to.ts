/** `Connection.pipeTo`: moves bytes from one connection to another. */
import { BLOCK_MAX, type Block, type BlockPool, type BlockWaiter } from '../../loop/memory/blocks.js';
import { traced } from '../../loop/operation/traced.js';
import { queueMicrotask } from '../../loop/real-timers.js';
import { checkWait, unlessGivenUp, type WaitOptions } from '../../loop/waiting/waiter.js';
import { checkInt } from '../../sys/check/check.js';
import { optionNames } from '../../sys/check/options.js';
import { closedError, errorFrom, type UasyncError } from '../../sys/errors/errors.js';
import type { Endpoint } from './endpoint.js';
import { ReceiveBuffers } from './receive-buffers.js';
import type { ReceiveQueue } from './receive-queue.js';
import type { Receiver } from './receiver.js';
import type { Sender } from './sender.js';
import type { Sink } from './sink.js';

/** Options of `pipeTo`. */
export interface PipeToOptions {
  /** Aborting it ends the transfer with an `AbortError`; bytes that have been read are still written. */
  signal?: AbortSignal | undefined;
  /**
   * The number of bytes to move, 0 or more; fewer only if the peer ends before. Later bytes stay unread. Default all.
   */
  length?: number | undefined;
  /** Whether to end the other's sending side; default true, and false with a `length`. */
  end?: boolean | undefined;
}

const PIPE_TO_OPTIONS = optionNames<PipeToOptions>({ signal: true, length: true, end: true });

/** Fewer bytes are copied: a few of them must not hold up a lent buffer. */
const LEND_MIN = 16 * 1024;

/**
 * Forwards bytes from a receiver to a sender: while some are being sent, others collect. Large pieces are sent from the
 * provided buffer, small ones from a block. Excess data waits at the receiver, which pauses when it has too much.
 */
class Forwarding implements Sink, BlockWaiter {
  /** Bytes taken from the receiver. */
  moved = 0;
  /** Why nothing more can be sent. */
  error: Error | null = null;
  readonly #receiver: Receiver;
  readonly #sender: Sender;
  readonly #blocks: BlockPool;
  readonly #buffers: ReceiveBuffers;
  /** The bytes collected so far: lent ones from this address on, or (0) copies in a block. */
  #length = 0;
  #address = 0;
  #block: Block | null = null;
  /** How many more bytes it wants. */
  #wanted: number;
  /** How many pieces are being sent. */
  #leaving = 0;
  /** Whether the collected bytes are about to be sent; if not, they are once the last send is done. */
  #soon = false;
  #waiting = false;
  #onIdle: (() => void) | null = null;

  constructor(receiver: Receiver, sender: Sender, length: number) {
    this.#wanted = length;
    this.#receiver = receiver;
    this.#sender = sender;
    this.#blocks = receiver.loop.blocks;
    this.#buffers = ReceiveBuffers.of(receiver.loop);
  }

  get satisfied(): boolean {
    return this.#wanted === 0;
  }

  /** Large pieces are lent instead. */
  readonly chunkSize = 0;

  takesChunk(): boolean {
    return false;
  }

  takeChunk(): void {}

  take(length: number, flags: number): boolean {
    // If it ends within these bytes, it takes its own from the queue.
    if (length > this.#wanted || this.error !== null || this.#receiver.loop.closing) return false;
    const taken =
      this.#length === 0
        ? this.#borrow(length, flags) || this.#copy(length, flags)
        : this.#address === 0
          ? this.#copy(length, flags)
          : this.#buffers.lendMore(this.#address, this.#address + this.#length, length, flags);
    if (!taken) return false;
    this.#length += length;
    this.#wanted -= length;
    if (!this.#sending() && !this.#soon) {
      // Together with other data of this batch.
      this.#soon = true;
      queueMicrotask(this.#onGathered);
    }
    return true;
  }

  #sending(): boolean {
    return this.#leaving !== 0;
  }

  #borrow(length: number, flags: number): boolean {
    if (length >= LEND_MIN) this.#address = this.#buffers.lend(length, flags);
    return this.#address !== 0;
  }

  #copy(length: number, flags: number): boolean {
    // While memory is short no block waits for a peer that may take nothing: the bytes stay in the queue.
    if (this.#sending() && this.#blocks.short) return false;
    const block = this.#block ?? this.#blocks.acquire(length);
    if (block === null) return false;
    if (block.bytes.length - this.#length < length) {
      // At the memory limit a new one may be too small, too.
      if (this.#length === 0) this.#blocks.release(block);
      return false;
    }
    this.#block = block;
    this.#buffers.takeInto(block.bytes, this.#length, length, flags);
    return true;
  }

  drain(queue: ReceiveQueue): void {
    if (queue.length === 0 || this.#sending() || this.#waiting || this.#length !== 0) return;
    if (this.error !== null || this.#receiver.loop.closing) return;
    const wanted = Math.min(queue.length, BLOCK_MAX, this.#wanted);
    if (wanted === 0) return;
    this.#block = this.#blocks.acquire(wanted);
    if (this.#block === null) {
      this.#waiting = true;
      this.#blocks.wait(this);
      return;
    }
    this.#length = queue.moveTo(this.#block.bytes.subarray(0, wanted), 0);
    this.#wanted -= this.#length;
    this.#send();
  }

  blockReleased(): void {
    this.#waiting = false;
    this.#receiver.resume();
  }

  readonly #onGathered = (): void => {
    this.#soon = false;
    this.flush();
  };

  flush(): void {
    if (this.#length !== 0) this.#send();
  }

  #send(): void {
    const block = this.#block;
    const length = this.#length;
    const address = this.#address;
    this.moved += length;
    this.#leaving++;
    this.#length = 0;
    this.#address = 0;
    this.#block = null;
    const sent =
      block === null ? this.#sender.writeAt(address, length) : this.#sender.writeBlock(block, length);
    if (address !== 0) {
      // Separately: a refused write settles before those that the kernel still has.
      const takeBack = (): void => this.#buffers.takeBack(address);
      sent.then(takeBack, takeBack);
    }
    sent.then(this.#onSent, this.#onFailed);
  }

  readonly #onSent = (): void => {
    this.#leaving--;
    if (this.#length !== 0) this.#send();
    else this.#receiver.resume();
    this.#settleIdle();
  };

  readonly #onFailed = (error: Error): void => {
    this.#leaving--;
    this.error ??= error;
    // The collected bytes cannot be sent either.
    if (this.#address !== 0) this.#buffers.takeBack(this.#address);
    this.#address = 0;
    if (this.#block !== null) this.#blocks.release(this.#block);
    this.#block = null;
    this.#length = 0;
    // It must not wait for bytes that may never come.
    this.#receiver.unforward(this, error);
    this.#settleIdle();
  };

  #settleIdle(): void {
    if (!this.#sending()) this.#onIdle?.();
  }

  /** Resolves when all taken bytes have been sent, or could not be. */
  idle(): Promise<void> {
    if (!this.#sending() && this.#length === 0) return Promise.resolve();
    return new Promise(resolve => {
      this.#onIdle = resolve;
    });
  }
}

/** A connection. */
interface PipeEnd {
  readonly remains: Endpoint;
  shutdown(options: WaitOptions): Promise<void>;
}

/**
 * Moves received data from one connection to another: all of it, or `length` bytes. Resolves to the number of bytes
 * sent.
 * @param options not checked yet.
 */
export async function pipeTo(from: PipeEnd, to: PipeEnd, options: PipeToOptions): Promise<number> {
  checkWait(options, PIPE_TO_OPTIONS);
  const { signal, length, end = length === undefined } = options;
  if (length !== undefined) checkInt('options.length', length, 0, Number.MAX_SAFE_INTEGER);
  const { sender } = to.remains;
  if (sender.ended) throw closedError('The other connection');
  to.remains.watchWhilePiped();
  const moved = await pipe(from, sender, length ?? Number.POSITIVE_INFINITY, signal);
  if (end) await to.shutdown({ signal });
  return moved;
}

/**
 * Moves `length` bytes received at `from` to `sender`. Resolves to their number once they are sent; to fewer if the
 * peer has ended before.
 */
async function pipe(
  from: PipeEnd,
  sender: Sender,
  length: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { receiver } = from.remains;
  const pipe = new Forwarding(receiver, sender, length);
  if (sender.error !== null) throw errorFrom(sender.error);
  const end = (error: Error): void => receiver.unforward(pipe, error);
  sender.addPipe(end);
  try {
    const reader = receiver.newReader().forward(pipe);
    // The connection must not be collected while it is read.
    reader.user = from;
    await receiver.start(reader, { signal });
  } catch (error) {
    // If this side has ended, it waits for no write, which the other side may never take.
    const { code } = error as UasyncError;
    if (code === 'ETIMEDOUT' || code === 'ERR_CLOSED') throw traced(pipe.error ?? error);
    // Bytes collected behind a write are written before anything else, including the end.
    pipe.flush();
    // An abort does not wait for a write, even if it comes only now.
    await unlessGivenUp(pipe.idle(), 'write', { signal });
    throw traced(pipe.error ?? error);
  } finally {
    sender.removePipe(end);
  }
  pipe.flush();
  await unlessGivenUp(pipe.idle(), 'write', { signal });
  if (pipe.error !== null) throw traced(pipe.error);
  return pipe.moved;
}
