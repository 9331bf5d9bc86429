/** A waiting read of any kind. Readers are pooled, as each read needs one. */
import { allocatePooled, copyPooled } from '../../loop/memory/buffer-memory.js';
import { pinnedAddress } from '../../loop/memory/pinned.js';
import { rejectTraced } from '../../loop/operation/traced.js';
import { Waiter } from '../../loop/waiting/waiter.js';
import { UasyncError } from '../../sys/errors/errors.js';
import type { Queued } from '../socket/queue.js';
import type { FdReceiver, ReceivedFds } from '../socket/received-fds.js';
import type { ReceiveQueue } from './receive-queue.js';
import type { Sink } from './sink.js';
import { NO_WISH, Wish } from './wish.js';

/** The result of a read: a chunk, a count, a step of an iteration, or a chunk with descriptors. */
export type ReadValue = Buffer | null | number | IteratorResult<Buffer, undefined> | ReceivedFds;

/** An iteration over the connection, which ends by closing it. */
export interface ChunkIteration {
  /** Closes the connection, and resolves to the last step. */
  return(): Promise<IteratorResult<Buffer, undefined>>;
}

/** The kinds of readers. */
export const CHUNK = 0;
export const INTO = 1;
export const EXACTLY = 2;
export const UNTIL = 3;
export const PEEK = 4;
export const ALL = 5;
export const FDS = 6;

const RESOLVED = Promise.resolve();

/** Ends an iteration, but not from within the receiver, which the close re-enters. */
function closeSoon(
  iteration: ChunkIteration,
  closed: (step: IteratorResult<Buffer, undefined>) => void,
  failed: (error: unknown) => void,
): void {
  RESOLVED.then(() => iteration.return()).then(closed, failed);
}

/** The source of a reader's bytes. */
export interface ReaderOwner {
  /** The reader gives up: it no longer waits. */
  forget(reader: Reader): void;
}

const forget = (waiter: Waiter<ReadValue>): void => {
  const reader = waiter as Reader;
  reader.owner!.forget(reader);
};

const NOTHING = (): void => {};

/** Idle readers of all connections of this thread. */
const spare: Reader[] = [];
const SPARE_MAX = 1024;

/** A read that waits for bytes. */
export class Reader extends Waiter<ReadValue> implements Queued<Reader> {
  next: Reader | null = null;
  owner: ReaderOwner | null = null;
  /** The object that is read, which must not be collected while this waits. */
  user: object | null = null;
  asks: typeof CHUNK | typeof INTO | typeof EXACTLY | typeof UNTIL | typeof PEEK | typeof ALL | typeof FDS =
    CHUNK;
  /** Its request, unless it is CHUNK. */
  wish = NO_WISH;
  /** CHUNK: set for a step of an iteration, which is settled at once, without a promise in between. */
  iteration: ChunkIteration | null = null;

  private constructor() {
    super('read', forget);
  }

  /** An idle reader. */
  static of(owner: ReaderOwner): Reader {
    const reader = spare.pop() ?? new Reader();
    reader.owner = owner;
    return reader;
  }

  /** Requests the next bytes as a step of an iteration; otherwise as a Buffer. */
  step(iteration: ChunkIteration): this {
    this.iteration = iteration;
    return this;
  }

  /** Requests the next bytes, to fill `target`: resolves to their number, 0 at the end. */
  into(target: Uint8Array): this {
    const wish = this.#wish(INTO);
    wish.target = target;
    wish.room = target.length;
    wish.address = pinnedAddress(target);
    return this;
  }

  exactly(count: number): this {
    const wish = this.#wish(EXACTLY);
    wish.target = allocatePooled(count);
    wish.room = count;
    return this;
  }

  /** Requests the bytes up to `delimiter`, which must be among the first `max`. */
  until(delimiter: Buffer, max: number): this {
    const wish = this.#wish(UNTIL);
    wish.delimiter = delimiter;
    wish.count = max;
    return this;
  }

  peek(count: number): this {
    this.#wish(PEEK).count = count;
    return this;
  }

  /** Requests the descriptors that come with the bytes. */
  withFds(fds: FdReceiver): this {
    this.#wish(FDS).fds = fds;
    return this;
  }

  /** Forwards all received data to `sink`, until the peer has ended. */
  forward(sink: Sink): this {
    this.#wish(ALL).sink = sink;
    return this;
  }

  #wish(asks: typeof this.asks): Wish {
    this.asks = asks;
    if (this.wish === NO_WISH) this.wish = new Wish();
    return this.wish;
  }

  /** How many bytes it may need in the queue at once. */
  get wants(): number {
    return this.asks === UNTIL || this.asks === PEEK ? this.wish.count : 0;
  }

  /** Whether the target was detached or shrunk meanwhile. */
  get detached(): boolean {
    return this.wish.target !== null && this.wish.target.length < this.wish.room;
  }

  /** Settles it from received data; false if that is not enough. */
  serve(queue: ReceiveQueue): boolean {
    switch (this.asks) {
      case CHUNK:
        if (queue.length === 0) return false;
        this.give(queue.shift());
        return true;
      case INTO:
        if (queue.length === 0) return false;
        this.resolve(queue.moveTo(this.wish.target!, 0));
        return true;
      case EXACTLY:
        this.wish.filled += queue.moveTo(this.wish.target!, this.wish.filled);
        if (this.wish.filled < this.wish.room) return false;
        this.resolve(this.wish.target as Buffer);
        return true;
      case UNTIL:
        return this.#serveUntil(queue);
      case PEEK:
        if (queue.length < this.wish.count) return false;
        this.resolve(queue.peek(this.wish.count));
        return true;
      case FDS: {
        if (queue.length === 0) return false;
        const chunk = queue.shift();
        this.resolve(this.wish.fds!.take(chunk, queue.length));
        return true;
      }
      case ALL: {
        // Kept: the reader may be settled meanwhile.
        const sink = this.wish.sink!;
        sink.drain(queue);
        if (!sink.satisfied) return false;
        this.resolve(null);
        return true;
      }
    }
  }

  #serveUntil(queue: ReceiveQueue): boolean {
    const { delimiter, count } = this.wish;
    const at = queue.indexOf(delimiter, this.wish.searched);
    if (at >= 0 && at + delimiter.length <= count) {
      this.resolve(queue.take(at + delimiter.length));
      return true;
    }
    if (at < 0 && queue.length < count) {
      this.wish.searched = Math.max(queue.length - delimiter.length + 1, 0);
      return false;
    }
    const message = `The delimiter is not among the first ${count} bytes, which stay unread`;
    this.fail(new UasyncError('ERR_DELIMITER_NOT_FOUND', message));
    return true;
  }

  /** No more bytes will come. */
  end(queue: ReceiveQueue): void {
    if (this.asks === CHUNK || this.asks === ALL || this.asks === FDS) this.give(null);
    else if (this.asks === INTO) this.resolve(0);
    else if (this.asks === PEEK) this.resolve(queue.length === 0 ? null : queue.peek(queue.length));
    else {
      this.putBack(queue);
      const message = 'The peer ended before all requested bytes had arrived; those that have stay unread';
      this.fail(new UasyncError('ERR_STREAM_PREMATURE_CLOSE', message));
    }
  }

  /** Puts back bytes that it has taken and will not use, for the next reader. */
  putBack(queue: ReceiveQueue): void {
    const { wish } = this;
    if (wish === NO_WISH) return;
    wish.sink?.flush();
    if (wish.filled !== 0) queue.unread(copyPooled((wish.target as Buffer).subarray(0, wish.filled)));
    wish.filled = 0;
    wish.searched = 0;
  }

  /** Settles with a chunk, or with null at the end. */
  give(chunk: Buffer | null): void {
    if (this.iteration === null) this.resolve(chunk);
    else if (chunk !== null) this.resolve({ value: chunk, done: false });
    else closeSoon(this.iteration, this.resolve, this.reject);
  }

  /** Settles with an error; an iteration closes the connection first. */
  override fail(error: Error): void {
    const { iteration, resolve, reject } = this;
    if (iteration === null) super.fail(error);
    else closeSoon(iteration, () => rejectTraced({ resolve, reject }, error), reject);
  }

  override giveUp(error: Error): void {
    if (this.wish.filling === null) super.giveUp(error);
    else {
      this.settled();
      this.wish.givenUp ??= error;
      this.wish.filling.loop.cancel(this.wish.filling);
    }
  }

  /** It is settled, and may be reused for the next read. */
  clear(): void {
    // Only once: two reads with the same reader would get each other's bytes.
    if (this.owner === null) return;
    this.owner = null;
    this.user = null;
    this.settled();
    this.iteration = null;
    // They hold the promise, which holds the bytes.
    this.resolve = NOTHING;
    this.reject = NOTHING;
    if (this.asks !== CHUNK) {
      this.asks = CHUNK;
      this.wish.clear();
    }
    if (spare.length < SPARE_MAX) spare.push(this);
  }
}
