import type { Operation } from '../loop/operation.js';
import { pinnedAddress } from '../loop/pinned.js';
import { rejectTraced } from '../loop/traced.js';
import { Waiter } from '../loop/waiter.js';
import { UasyncError } from '../ring/errors.js';
import type { Inbox } from './inbox.js';
import type { Queued } from './queue.js';
import type { FdReceiver, ReceivedFds } from './received-fds.js';

/** What a read resolves to: a chunk, a count, a step of an iteration, or a chunk with descriptors. */
export type ReadValue = Buffer | null | number | IteratorResult<Buffer, undefined> | ReceivedFds;

/** An iteration over the connection, which ends by closing it. */
export interface ChunkIteration {
  /** Closes the connection, and resolves to the last step. */
  return(): Promise<IteratorResult<Buffer, undefined>>;
}

/** Where all that arrives goes, without a promise for each chunk. */
export interface Sink {
  /** Takes the bytes of a completion; false if it cannot now, and they join those that wait. */
  take(length: number, flags: number): boolean;
  /** Takes of the bytes that wait as many as it can now. */
  drain(inbox: Inbox): void;
  /** Whether it has all that it wants. */
  readonly satisfied: boolean;
  /** It gets no more: what it has taken leaves before whatever comes next. */
  flush(): void;
}

/** What a reader asks for. */
export const CHUNK = 0;
export const INTO = 1;
export const EXACTLY = 2;
export const UNTIL = 3;
export const PEEK = 4;
export const ALL = 5;
export const FDS = 6;

const NO_DELIMITER = Buffer.alloc(0);

const RESOLVED = Promise.resolve();

/** Ends an iteration, but not from within the receiver, which closing comes back to. */
function closeSoon(
  iteration: ChunkIteration,
  closed: (step: IteratorResult<Buffer, undefined>) => void,
  failed: (error: unknown) => void,
): void {
  RESOLVED.then(() => iteration.return().then(closed, failed));
}

/** Someone who waits for bytes. */
export class Reader extends Waiter<ReadValue> implements Queued<Reader> {
  next: Reader | null = null;
  asks: typeof CHUNK | typeof INTO | typeof EXACTLY | typeof UNTIL | typeof PEEK | typeof ALL | typeof FDS =
    CHUNK;
  /** INTO, EXACTLY: where the bytes go. */
  target: Uint8Array | null = null;
  /** The target's length when it was given. */
  room = 0;
  /** INTO: where the target is if the kernel can fill it in place, else 0. */
  address = 0;
  /** INTO: the receive that fills the target in place, while it does. */
  filling: Operation | null = null;
  /** Why it is not to be filled any more: told when the kernel is done. */
  givenUp: Error | null = null;
  /** EXACTLY: how much of it is filled. */
  filled = 0;
  /** UNTIL: what ends the bytes, and how far it has been looked for. */
  delimiter: Buffer = NO_DELIMITER;
  searched = 0;
  /** UNTIL: the most bytes; PEEK: how many. */
  count = 0;
  /** CHUNK: set if it is a step of an iteration, which is settled at once, without a promise in between. */
  iteration: ChunkIteration | null = null;
  /** ALL: where the bytes go until the end. */
  sink: Sink | null = null;
  /** FDS: where the descriptors are. */
  fds: FdReceiver | null = null;

  /** Has it ask for the next bytes as a step of an iteration; without this it asks for them as a Buffer. */
  step(iteration: ChunkIteration): this {
    this.iteration = iteration;
    return this;
  }

  /** For the next bytes, to fill `target` with: their number, 0 at the end. */
  into(target: Uint8Array): this {
    this.asks = INTO;
    this.target = target;
    this.room = target.length;
    this.address = pinnedAddress(target);
    return this;
  }

  exactly(count: number): this {
    this.asks = EXACTLY;
    this.target = Buffer.allocUnsafe(count);
    this.room = count;
    return this;
  }

  /** For the bytes up to `delimiter`, which is among the first `max`. */
  until(delimiter: Buffer, max: number): this {
    this.asks = UNTIL;
    this.delimiter = delimiter;
    this.count = max;
    return this;
  }

  peek(count: number): this {
    this.asks = PEEK;
    this.count = count;
    return this;
  }

  /** For the descriptors that come with the bytes. */
  withFds(fds: FdReceiver): this {
    this.asks = FDS;
    this.fds = fds;
    return this;
  }

  /** For all that arrives to go to `sink`, until the peer has ended. */
  forward(sink: Sink): this {
    this.asks = ALL;
    this.sink = sink;
    return this;
  }

  /** Bytes that it may need to have waiting at once. */
  get wants(): number {
    return this.asks === UNTIL || this.asks === PEEK ? this.count : 0;
  }

  /** Whether the target was detached or shrunk meanwhile. */
  get lost(): boolean {
    return this.target !== null && this.target.length < this.room;
  }

  /** Settles it from what has arrived; false if that is not enough. */
  serve(inbox: Inbox): boolean {
    switch (this.asks) {
      case CHUNK:
        if (inbox.length === 0) return false;
        this.give(inbox.shift());
        return true;
      case INTO:
        if (inbox.length === 0) return false;
        this.resolve(inbox.moveTo(this.target!, 0));
        return true;
      case EXACTLY:
        this.filled += inbox.moveTo(this.target!, this.filled);
        if (this.filled < this.room) return false;
        this.resolve(this.target as Buffer);
        return true;
      case UNTIL:
        return this.#serveUntil(inbox);
      case PEEK:
        if (inbox.length < this.count) return false;
        this.resolve(inbox.peek(this.count));
        return true;
      case FDS: {
        if (inbox.length === 0) return false;
        const chunk = inbox.shift();
        this.resolve(this.fds!.take(chunk, inbox.length));
        return true;
      }
      case ALL:
        this.sink!.drain(inbox);
        if (!this.sink!.satisfied) return false;
        this.resolve(null);
        return true;
    }
  }

  #serveUntil(inbox: Inbox): boolean {
    const { delimiter, count } = this;
    const at = inbox.indexOf(delimiter, this.searched);
    if (at >= 0 && at + delimiter.length <= count) {
      this.resolve(inbox.take(at + delimiter.length));
      return true;
    }
    if (at < 0 && inbox.length < count) {
      this.searched = Math.max(inbox.length - delimiter.length + 1, 0);
      return false;
    }
    const message = `The delimiter is not among the first ${count} bytes, which stay unread`;
    this.fail(new UasyncError('ERR_DELIMITER_NOT_FOUND', message));
    return true;
  }

  /** No more bytes will come. */
  end(inbox: Inbox): void {
    if (this.asks === CHUNK || this.asks === ALL || this.asks === FDS) this.give(null);
    else if (this.asks === INTO) this.resolve(0);
    else if (this.asks === PEEK) this.resolve(inbox.length === 0 ? null : inbox.peek(inbox.length));
    else {
      this.putBack(inbox);
      const message = 'The peer ended before all that was asked for had come; what came stays unread';
      this.fail(new UasyncError('ERR_STREAM_PREMATURE_CLOSE', message));
    }
  }

  /** What it has taken and will not use is there for the next. */
  putBack(inbox: Inbox): void {
    this.sink?.flush();
    if (this.filled !== 0) inbox.unread(Buffer.from((this.target as Buffer).subarray(0, this.filled)));
    this.filled = 0;
    this.searched = 0;
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
    if (this.filling === null) super.giveUp(error);
    else {
      this.settled();
      this.givenUp ??= error;
      this.filling.loop.cancel(this.filling);
    }
  }

  /** As new, to be used again. */
  clear(): void {
    this.settled();
    this.iteration = null;
    // It had no more than that, and there are as many of these as connections: less memory to touch.
    if (this.asks === CHUNK) return;
    this.asks = CHUNK;
    this.target = null;
    this.room = 0;
    this.address = 0;
    this.givenUp = null;
    this.filled = 0;
    this.delimiter = NO_DELIMITER;
    this.searched = 0;
    this.count = 0;
    this.sink = null;
    this.fds = null;
  }
}
