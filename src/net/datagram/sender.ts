/** The sending side of a datagram socket. */

import type { Loop } from '../../loop/loop.js';
import { BLOCK_MAX, type Block, type BlockWaiter } from '../../loop/memory/blocks.js';
import { promiseOf } from '../../loop/operation/deferred.js';
import type { Subject } from '../../loop/operation/pending.js';
import type { Sqe } from '../../ring/sqe/index.js';
import { EAGAIN, ECANCELED, EINTR, EMSGSIZE, ENOBUFS } from '../../sys/abi/errno.js';
import { MSG_DONTWAIT, MSG_NOSIGNAL } from '../../sys/abi/sockets.js';
import { closedError, stateError, systemError } from '../../sys/errors/errors.js';
import { isSentNow } from '../stream/send-now.js';
import { segmentControl } from './ancillary.js';
import { DatagramBacklog } from './backlog.js';
import type { Destination } from './destination.js';
import { messageRoom, prepareSend, prepareSendmsg } from './entry.js';
import { GsoBatches, type GsoBatchSender } from './gso-batch.js';
import { Routes } from './routes.js';
import type { SendLimit } from './send-limit.js';
import { type DatagramSend, type SendOutcome, type SendOwner, sends } from './send-operation.js';

const NO_BYTES = new Uint8Array(0);

/** Datagrams of one size that the kernel gets as one send. */
interface SegmentedData extends SendOutcome {
  readonly destination: Destination | null;
  readonly segmentSize: number;
  readonly parts: readonly Uint8Array[];
}

function lengthOf(parts: readonly Uint8Array[]): number {
  let length = 0;
  for (let i = 0; i < parts.length; i++) length += parts[i]!.length;
  return length;
}

function copyAll(parts: readonly Uint8Array[], bytes: Buffer): void {
  let at = 0;
  for (let i = 0; i < parts.length; i++) {
    bytes.set(parts[i]!, at);
    at += parts[i]!.length;
  }
}

/**
 * The sending side of a datagram socket. Each datagram is copied into a block and is an operation of its own; all that
 * start in one turn are submitted together.
 */
export class DatagramSender implements BlockWaiter, SendOwner, GsoBatchSender {
  /** What it knows about its destinations; not used for Unix sockets. */
  readonly #routes = new Routes();
  /** How often the socket was changed: earlier sends tell nothing about later ones. */
  #changes = 0;
  readonly #batches: GsoBatches;
  /** The socket, for tracing and `active()`. */
  subject: Subject | null = null;
  /** The destination of datagrams without one, for errors. */
  peer: Destination | null = null;
  /** Called when the kernel refuses a datagram whose call has resolved. */
  onRefused: ((error: Error) => void) | null = null;
  readonly #loop: Loop;
  readonly #fd: number;
  readonly #sendsToAddress: boolean;
  #inFlight = 0;
  /** Datagrams that wait for a block. */
  readonly #waiting: DatagramSend[] = [];
  /** Datagrams that wait for room at a Unix peer. */
  readonly #backlog: DatagramBacklog;
  /** The number of datagrams started. */
  #count = 0;
  readonly #isUnix: boolean;
  readonly #flags: number;
  #closed = false;
  /** The loop's completion count at the last plain send. */
  #sentAt = -1;
  #referenced = true;
  #onStopped: (() => void) | null = null;

  constructor(loop: Loop, fd: number, isUnix: boolean) {
    this.#loop = loop;
    this.#fd = fd;
    this.#sendsToAddress = loop.sendsToAddress;
    this.#isUnix = isUnix;
    this.#batches = new GsoBatches(loop, fd, this);
    this.#backlog = new DatagramBacklog(
      send => this.#start(send, send.data),
      () => this.subject?.object,
    );
    this.#flags = isUnix ? MSG_NOSIGNAL | MSG_DONTWAIT : MSG_NOSIGNAL;
  }

  /**
   * Sends a UDP datagram without options. If this destination has taken one of at least this length, it resolves at
   * once, and the datagram is sent with others in the next turn.
   */
  sendPlain(data: Uint8Array, destination: Destination): Promise<number> {
    const taken = this.take(data, destination);
    if (taken !== null) return this.#settled(taken, destination);
    return this.send(data, destination, undefined, undefined);
  }

  /**
   * Sends a non-empty datagram without a promise. Returns its length, a negative errno, or null if it needs `send` or
   * `sendFor`.
   */
  take(data: Uint8Array, destination: Destination | null): number | null {
    const { length } = data;
    const sent = this.#sendNow(data, destination);
    if (sent !== null || destination === null) return sent;
    if (this.peer === null && this.#waiting.length === 0) {
      const route = this.#routes.of(destination);
      if (route.isValid(length) && this.#batches.take(data, route)) return length;
    }
    return null;
  }

  #settled(sent: number, destination: Destination | null): Promise<number> {
    if (sent >= 0) return Promise.resolve(sent);
    return Promise.reject(systemError(sent, 'send', (destination ?? this.peer)?.details));
  }

  /** Sends a datagram by a plain call, if none is queued before it and the socket need not wait; else null. */
  #sendNow(data: Uint8Array, destination: Destination | null): number | null {
    // While the socket is being connected, the ring keeps the order.
    if (!this.#isFree() || (destination === null && this.peer === null)) return null;
    if (this.#isUnix && this.#backlog.has(destination)) return null;
    if (!isSentNow(this.#loop, data, this.#sentAt)) return null;
    this.#sentAt = this.#loop.completed;
    const calls = this.#loop.socketCalls;
    const sent =
      destination === null ? calls.send(this.#fd, data) : calls.sendTo(this.#fd, data, destination.bytes);
    if (sent >= 0) {
      if (destination !== null && !this.#isUnix) this.#routes.of(destination).validated(data.length);
      return sent;
    }
    if (sent === EAGAIN || sent === EINTR) return null;
    if (destination !== null && !this.#isUnix) this.#routes.of(destination).invalidate();
    return sent;
  }

  /** Whether no datagram is queued or in flight. */
  #isFree(): boolean {
    return this.#idle() && this.#waiting.length === 0 && !this.#closed;
  }

  /** The socket is about to change: sends what is queued first, and forgets what was learned. */
  invalidate(): void {
    if (this.#batches.flush()) this.#loop.flush();
    this.#changes++;
    this.#routes.clear();
  }

  /** Sends a datagram of a batch by itself. Its call has resolved, so the next call reports a failure. */
  sendAgain(data: Uint8Array, destination: Destination): void {
    this.send(data, destination, undefined, undefined).catch(error => this.refused(error));
  }

  /** Datagrams whose sends have resolved were refused. */
  refused(error: Error): void {
    this.onRefused?.(error);
  }

  /** Sends a datagram to `destination`, or to the peer of a connected socket. Resolves to its length. */
  send(
    data: Uint8Array,
    destination: Destination | null,
    control: Buffer | undefined,
    limit: SendLimit | undefined,
  ): Promise<number> {
    if (control === undefined && limit === undefined) {
      const sent = this.#sendNow(data, destination);
      if (sent !== null) return this.#settled(sent, destination);
    }
    const send = sends.take(this.#loop);
    send.validates = control === undefined ? data.length : 0;
    const promise = promiseOf(send);
    this.#begin(send, data, destination, control, limit);
    return promise;
  }

  /** As `send`, for one of many. */
  sendFor(
    outcome: SendOutcome,
    index: number,
    data: Uint8Array,
    destination: Destination | null,
    control: Buffer | undefined,
    limit: SendLimit | undefined,
  ): void {
    const send = sends.take(this.#loop);
    send.outcome = outcome;
    send.index = index;
    send.validates = control === undefined ? data.length : 0;
    this.#begin(send, data, destination, control, limit);
  }

  /** Sends several at once, which the kernel splits. */
  sendSegments(batch: SegmentedData, limit: SendLimit | undefined): void {
    const send = sends.take(this.#loop);
    send.outcome = batch;
    send.parts = batch.parts;
    send.validates = batch.segmentSize;
    this.#begin(send, NO_BYTES, batch.destination, segmentControl(batch.segmentSize), limit);
  }

  #begin(
    send: DatagramSend,
    data: Uint8Array,
    destination: Destination | null,
    control: Buffer | undefined,
    limit: SendLimit | undefined,
  ): void {
    // Batches of earlier calls go first.
    this.#batches.flush();
    send.sender = this;
    send.changes = this.#changes;
    send.subject = this.subject;
    send.order = ++this.#count;
    send.destination = destination;
    send.length = send.parts === null ? data.length : lengthOf(send.parts);
    send.referenced = this.#referenced;
    if (control !== undefined) send.control = control;
    if (limit !== undefined) {
      send.limit = limit;
      limit.add(send);
      const given = limit.error();
      if (given !== null) {
        send.fail(given);
        return;
      }
    }
    if (this.#waiting.length !== 0) {
      send.data = data;
      this.#waiting.push(send);
    } else if (this.#isUnix && this.#backlog.has(destination)) {
      send.data = data;
      this.#backlog.add(send);
    } else if (!this.#start(send, data)) {
      send.data = data;
      this.#waiting.push(send);
      this.#loop.blocks.wait(this);
    }
  }

  /** Copies and submits; false if there is no block. A failure is the datagram's. */
  #start(send: DatagramSend, data: Uint8Array): boolean {
    let block: Block | null = null;
    try {
      const { parts, length } = send;
      if ((parts === null ? data.length : lengthOf(parts)) !== length) {
        throw stateError('The buffer was detached while it waited to be sent');
      }
      const size = this.#isPlain(send) ? length : messageRoom(length, send.control.length);
      if (size > BLOCK_MAX) throw this.errorOf(EMSGSIZE, send);
      block = this.#loop.blocks.acquire(size);
      if (block === null) return false;
      // At the memory limit there may only be smaller ones, and a datagram cannot be split.
      if (block.bytes.length < size) throw this.errorOf(ENOBUFS, send);
      if (parts === null) block.bytes.set(data);
      else copyAll(parts, block.bytes);
      this.#prepare(send, block);
      send.block = block;
      if (this.#isUnix) send.data = data;
      this.#inFlight++;
    } catch (error) {
      if (block !== null) this.#loop.blocks.release(block);
      send.fail(error as Error);
    }
    return true;
  }

  #prepare(send: DatagramSend, block: Block): Sqe {
    const sqe = this.#loop.start(send);
    const { length, destination, control } = send;
    if (this.#isPlain(send)) prepareSend(sqe, this.#fd, block, length, destination);
    else prepareSendmsg(sqe, this.#fd, block, length, destination, control);
    return sqe.opFlags(this.#flags);
  }

  /** Whether SEND suffices. */
  #isPlain(send: DatagramSend): boolean {
    return send.control.length === 0 && this.#sendsToAddress;
  }

  /** The error for the caller when the kernel refuses a datagram. */
  errorOf(res: number, send: DatagramSend): Error {
    if (res === ECANCELED || res === EINTR || res === EAGAIN) {
      const given = send.limit?.error() ?? null;
      if (given !== null) return given;
      if (this.#closed) return closedError('The socket');
      if (this.#loop.closing) return closedError('The loop');
    }
    return systemError(res, 'send', (send.destination ?? this.peer)?.details);
  }

  /**
   * A Unix socket had no room (UDP waits by itself). If the kernel (6.18) waited, it would finally send an empty
   * datagram, because it consumes the data at the first attempt; and no poll reports that an unconnected peer has room.
   * So the datagram is retried after a while, and at once if it was interrupted. Returns false if the send has failed
   * for good.
   */
  retry(send: DatagramSend, res: number): boolean {
    if (this.#closed || this.#loop.closing) return false;
    if (send.limit !== null && send.limit.error() !== null) return false;
    if (res === EINTR) {
      this.#prepare(send, send.block!);
      return true;
    }
    if (!this.#isUnix) return false;
    this.#inFlight--;
    this.#backlog.add(send);
    // A peer that does not read must not hold memory of the loop.
    send.releaseBlock();
    return true;
  }

  /** The kernel has taken a datagram of `length` bytes, started when the socket had been changed `changes` times. */
  validated(destination: Destination, length: number, changes: number): void {
    if (!this.#isUnix && changes === this.#changes) this.#routes.of(destination).validated(length);
  }

  completed(send: DatagramSend, destination: Destination | null): void {
    this.#inFlight--;
    if (this.#isUnix) this.#backlog.completed(send, destination);
    this.settle();
  }

  /** Reports the end of `stop` once nothing is in flight. */
  settle(): void {
    if (this.#idle()) this.#onStopped?.();
  }

  /** The number of datagrams that the kernel has not taken. */
  get unsent(): number {
    return this.#inFlight + this.#batches.inFlight + this.#waiting.length + this.#backlog.length;
  }

  #idle(): boolean {
    return this.#inFlight === 0 && this.#batches.inFlight === 0;
  }

  blockReleased(): void {
    const waiting = this.#waiting;
    while (waiting.length !== 0) {
      const send = waiting[0]!;
      if (this.#isUnix && this.#backlog.has(send.destination)) this.#backlog.add(send);
      else if (!this.#start(send, send.data)) {
        this.#loop.blocks.wait(this);
        return;
      }
      waiting.shift();
    }
  }

  giveUp(send: DatagramSend): void {
    const at = this.#waiting.indexOf(send);
    if (at !== -1) this.#waiting.splice(at, 1);
    else this.#backlog.remove(send);
    this.#drop([send]);
  }

  /** Fails datagrams that the kernel does not have. */
  #drop(sends: DatagramSend[]): void {
    for (const send of sends) send.fail(this.errorOf(ECANCELED, send));
  }

  set referenced(referenced: boolean) {
    this.#referenced = referenced;
    this.#backlog.referenced = referenced;
  }

  get referenced(): boolean {
    return this.#referenced;
  }

  /**
   * Stops sending: datagrams that the kernel has not taken reject, and `onStopped` is called when it is done with all.
   */
  stop(onStopped: () => void): void {
    this.#batches.flush();
    this.#closed = true;
    this.#drop(this.#waiting.splice(0));
    this.#drop(this.#backlog.close());
    if (this.#idle()) {
      onStopped();
      return;
    }
    this.#onStopped = onStopped;
    this.#loop.startUnowned().cancelAllOf(this.#fd);
  }
}
