/** The receiving side of a datagram socket. */

import type { Loop } from '../../loop/loop.js';
import { hasBuffer, hasMore } from '../../loop/operation/completion.js';
import { Operation } from '../../loop/operation/operation.js';
import { queueMicrotask } from '../../loop/real-timers.js';
import { Waiter, type WaitOptions } from '../../loop/waiting/waiter.js';
import { ECANCELED, EINTR, ENOBUFS } from '../../sys/abi/errno.js';
import { MSG_TRUNC } from '../../sys/abi/sockets.js';
import { closedError, errorFrom, kept, systemError } from '../../sys/errors/errors.js';
import { SOCKADDR_MAX } from '../../sys/socket/sockaddr.js';
import { datagramFailed } from '../socket/diagnostics.js';
import type { Remains } from '../socket/forgotten.js';
import { CONTROL_MAX } from './ancillary.js';
import { DatagramBuffers } from './buffers.js';
import type { Destination } from './destination.js';
import { type Datagram, datagramIn } from './received.js';

export type { Datagram } from './received.js';

/** The result of a waiting call: one datagram, a step of an iteration, or all that are available. */
type Received = Datagram | Datagram[] | IteratorResult<Datagram, undefined>;

/** How many taken datagrams the queue keeps before it is compacted. */
const COMPACT_MIN = 1024;
const ONE = 0;
const STEP = -1;

class Receive extends Waiter<Received> {
  /** ONE, STEP, or the maximum number. */
  want = ONE;
  /** The socket, which must not be collected while this call waits. */
  user: object | null = null;
}

/**
 * The receiving side of a datagram socket: one multishot recvmsg that stays armed once a first call has requested a
 * datagram, and the datagrams that have not been taken yet.
 */
export class DatagramReceiver extends Operation {
  /** The peer of a connected socket, for errors. */
  peer: Destination | null = null;
  /** Datagrams dropped because the queue was full. */
  overflowed = 0;
  queueLimit: number;
  readonly #buffers: DatagramBuffers;
  readonly #fd: number;
  readonly #maxSize: number;
  /** Whether the kernel reports ancillary data. */
  readonly #ancillary: boolean;
  /** The datagrams from `#first` on. */
  #queue: Datagram[] = [];
  #first = 0;
  readonly #waiting: Receive[] = [];
  #spare: Receive | null = null;
  #batching = false;
  /** The error for the next call. */
  #error: Error | null = null;
  #closed: Error | null = null;
  #onStopped: (() => void) | null = null;

  constructor(loop: Loop, fd: number, queueLimit: number, maxSize: number, ancillary: boolean) {
    super(loop);
    this.#fd = fd;
    this.queueLimit = queueLimit;
    this.#maxSize = maxSize;
    this.#ancillary = ancillary;
    this.#buffers = DatagramBuffers.of(loop);
  }

  override get syscall(): string {
    return 'recvmsg';
  }

  /** The number of waiting calls. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Datagrams that have not been taken. */
  get queued(): number {
    return this.#queue.length - this.#first;
  }

  // --- Callers ------------------------------------------------------------------------------------

  /** The next datagram. */
  one(user: object, options: WaitOptions | undefined): Promise<Datagram> {
    if (this.#ready()) return Promise.resolve(this.#shift());
    return this.#wait(user, ONE, options) as Promise<Datagram>;
  }

  /** The next step of an iteration, which ends when the socket is closed. */
  step(user: object): Promise<IteratorResult<Datagram, undefined>> {
    if (this.#ready()) return Promise.resolve({ value: this.#shift(), done: false });
    return this.#wait(user, STEP, undefined) as Promise<IteratorResult<Datagram, undefined>>;
  }

  /** All available datagrams, at least one and at most `max`. */
  many(user: object, max: number, options: WaitOptions | undefined): Promise<Datagram[]> {
    if (this.#ready()) return Promise.resolve(this.#take(max));
    return this.#wait(user, max, options) as Promise<Datagram[]>;
  }

  /** Whether a call is served at once. */
  #ready(): boolean {
    return this.#first < this.#queue.length && this.#waiting.length === 0;
  }

  #shift(): Datagram {
    const datagram = this.#queue[this.#first++]!;
    this.#compact();
    return datagram;
  }

  /** Drops taken datagrams now and then: under steady load the queue never becomes empty. */
  #compact(): void {
    if (this.#first === this.#queue.length) this.#queue = [];
    else if (this.#first < COMPACT_MIN || this.#first * 2 < this.#queue.length) return;
    else this.#queue = this.#queue.slice(this.#first);
    this.#first = 0;
  }

  #take(max: number): Datagram[] {
    const queue = this.#queue;
    const first = this.#first;
    if (queue.length - first > max) {
      this.#first += max;
      const taken = queue.slice(first, first + max);
      this.#compact();
      return taken;
    }
    this.#queue = [];
    this.#first = 0;
    return first === 0 ? queue : queue.slice(first);
  }

  /** Whether the next call rejects. */
  get failed(): boolean {
    return this.#error !== null;
  }

  /** The error of an earlier call that has not been reported yet: the kernel reports an ICMP message once. */
  takeError(): Error | null {
    const error = this.#error;
    this.#error = null;
    return error;
  }

  /** An error that no call waits for: the next call rejects with it. */
  fail(error: Error): void {
    this.#error ??= kept(error);
    if (this.subject !== null) datagramFailed(this.subject as Remains, error);
    this.#serve();
  }

  #wait(user: object, want: number, options: WaitOptions | undefined): Promise<Received> {
    if (this.#closed !== null && want !== STEP) return Promise.reject(errorFrom(this.#closed));
    const receive = this.#spare ?? new Receive('recvmsg', gone => this.#forget(gone as Receive));
    this.#spare = null;
    receive.want = want;
    receive.user = user;
    const promise = receive.wait(options, this.referenced);
    this.#waiting.push(receive);
    this.#serve();
    try {
      this.#arm();
    } catch (error) {
      // The loop is closing.
      this.#closed ??= kept(error as Error);
      this.#serve();
    }
    return promise;
  }

  /** Whether it keeps the process alive, with the timeouts of its calls. */
  setReferenced(referenced: boolean): void {
    this.loop.setReferenced(this, referenced);
    for (const receive of this.#waiting) receive.setReferenced(referenced);
  }

  #forget(receive: Receive): void {
    this.#waiting.splice(this.#waiting.indexOf(receive), 1);
  }

  /** Settles waiting calls with available datagrams. */
  #serve(): void {
    const waiting = this.#waiting;
    while (waiting.length !== 0) {
      const receive = waiting[0]!;
      const { want } = receive;
      if (this.queued !== 0) {
        if (want === ONE) receive.resolve(this.#shift());
        else if (want === STEP) receive.resolve({ value: this.#shift(), done: false });
        else receive.resolve(this.#take(want));
      } else if (this.#error !== null) {
        receive.fail(this.takeError());
      } else if (this.#closed !== null) {
        if (want === STEP) receive.resolve({ value: undefined, done: true });
        else receive.fail(errorFrom(this.#closed));
      } else {
        return;
      }
      waiting.shift();
      receive.settled();
      receive.user = null;
      this.#spare = receive;
    }
  }

  // --- The kernel ---------------------------------------------------------------------------------

  #arm(): void {
    if (this.slot >= 0 || this.#waiting.length === 0 || this.#closed !== null) return;
    this.#start();
  }

  #start(): void {
    const controlRoom = this.#ancillary ? CONTROL_MAX : 0;
    this.loop
      .start(this)
      .recvmsgMultishotAt(this.#fd, SOCKADDR_MAX, controlRoom, MSG_TRUNC, this.#buffers.group);
  }

  complete(res: number, flags: number): void {
    if (hasBuffer(flags)) {
      if (res >= 0) this.#received(flags);
      this.#buffers.giveBack(flags);
    }
    if (res < 0 && res !== ENOBUFS && res !== EINTR && res !== ECANCELED) {
      this.fail(systemError(res, 'recvmsg', this.peer?.details));
    }
    if (!hasMore(flags)) this.#ended(res);
  }

  #ended(res: number): void {
    if (this.loop.closing) {
      this.#closed ??= closedError('The loop');
      this.#serve();
    }
    if (this.#onStopped !== null) this.#stopped();
    // An empty datagram ends the receive too, and so does a lack of buffers, which have been returned by now.
    else if (this.#closed === null && (res >= 0 || res === ENOBUFS)) this.#start();
    else this.#arm();
  }

  #received(flags: number): void {
    if (this.#closed !== null) return;
    if (this.queued >= this.queueLimit) {
      this.overflowed++;
      return;
    }
    this.#deliver(datagramIn(this.#buffers, flags, this.#maxSize, this.#ancillary));
  }

  #deliver(datagram: Datagram): void {
    this.#queue.push(datagram);
    const first = this.#waiting[0];
    if (first === undefined) return;
    if (first.want <= ONE) this.#serve();
    else if (!this.#batching) {
      // More may arrive in this turn, for callers that take many.
      this.#batching = true;
      queueMicrotask(this.#serveBatch);
    }
  }

  readonly #serveBatch = (): void => {
    this.#batching = false;
    this.#serve();
  };

  // --- The end ------------------------------------------------------------------------------------

  /** Stops receiving: waiting calls reject, and `onStopped` is called once the kernel is done. */
  stop(onStopped: () => void): void {
    this.#closed ??= closedError('The socket');
    this.#queue = [];
    this.#first = 0;
    this.#error = null;
    this.#serve();
    this.#onStopped = onStopped;
    if (this.slot >= 0) this.loop.cancel(this);
    else this.#stopped();
  }

  #stopped(): void {
    const onStopped = this.#onStopped;
    this.#onStopped = null;
    onStopped?.();
  }
}
