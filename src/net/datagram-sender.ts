import { BLOCK_MAX, type Block, type BlockWaiter } from '../loop/blocks.js';
import type { Loop } from '../loop/loop.js';
import { Operation } from '../loop/operation.js';
import { OperationPool } from '../loop/pool.js';
import { promiseOf, type Settler } from '../loop/settler.js';
import * as abi from '../ring/abi.js';
import { EAGAIN, ECANCELED, EINTR, EMSGSIZE, ENOBUFS } from '../ring/errno.js';
import { closedError, stateError, systemError } from '../ring/errors.js';
import type { Sqe } from '../ring/sqe/index.js';
import { MSG_DONTWAIT, MSG_NOSIGNAL } from '../ring/sqe/sockets.js';
import { segmentControl } from './ancillary.js';
import type { Destination } from './datagram-destination.js';
import { messageRoom, prepareSend, prepareSendmsg, sendsToAddress } from './datagram-entry.js';
import { DatagramTrains, type TrainSender } from './datagram-trains.js';
import type { Limited, SendLimit } from './send-limit.js';

/** Milliseconds before a Unix socket whose peer had no room is tried again. */
const RETRY_MS = 1;
const NO_BYTES = new Uint8Array(0);
const NO_CONTROL = Buffer.alloc(0);

/** Datagrams of one length that go to the kernel as one. */
export interface SegmentedData extends SendOutcome {
  readonly destination: Destination | null;
  readonly segmentSize: number;
  readonly parts: readonly Uint8Array[];
}

/** Who is told how a datagram fared. */
export interface SendOutcome {
  sent(index: number, bytes: number): void;
  failed(index: number, error: Error): void;
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

/** One datagram, from the call until the kernel has taken it. */
class DatagramSend extends Operation implements Settler<number>, Limited {
  resolve!: Settler<number>['resolve'];
  reject!: (error: unknown) => void;
  sender: DatagramSender | null = null;
  /** Set for one of many: it is told instead of the promise. */
  outcome: SendOutcome | null = null;
  index = 0;
  block: Block | null = null;
  destination: Destination | null = null;
  /** Kept only while it waits for a block. */
  data: Uint8Array = NO_BYTES;
  /** Set if it is several: these are copied instead. */
  parts: readonly Uint8Array[] | null = null;
  length = 0;
  /** How long a datagram its success says something about: what the kernel cuts says it of one piece. */
  proves = 0;
  control: Buffer = NO_CONTROL;
  /** Its own, or that of the many it is one of. */
  limit: SendLimit | null = null;

  /** Most are taken while they are submitted: who awaits one is served in the same turn. */
  override get eager(): boolean {
    return true;
  }

  override get syscall(): string {
    return 'send';
  }

  complete(res: number): void {
    const sender = this.sender!;
    if (res === EAGAIN && sender.retry(this)) return;
    if (res >= 0 && this.destination !== null) this.destination.proven(sender.id, this.proves);
    this.loop.blocks.release(this.block!);
    this.block = null;
    if (res >= 0) this.#settle(res);
    else this.fail(sender.errorOf(res, this));
    sender.completed(this);
  }

  #settle(bytes: number): void {
    const { outcome } = this;
    if (outcome === null) this.resolve(bytes);
    else outcome.sent(this.index, bytes);
    this.#finish();
  }

  /** Not sent, for this reason. */
  fail(error: Error): void {
    if (this.outcome === null) this.reject(error);
    else this.outcome.failed(this.index, error);
    this.#finish();
  }

  #finish(): void {
    if (this.limit !== null) {
      this.limit.delete(this);
      if (this.outcome === null) this.limit.end();
      this.limit = null;
    }
    this.outcome = null;
    this.destination = null;
    this.data = NO_BYTES;
    this.parts = null;
    this.control = NO_CONTROL;
    this.sender = null;
    sends.give(this);
  }

  /** Gives it up if that is still possible. */
  cancel(): void {
    if (this.slot >= 0) this.loop.cancel(this);
    else this.sender!.giveUp(this);
  }
}

const sends = new OperationPool(DatagramSend);

let senders = 0;

/**
 * The sending side of a datagram socket. Each datagram is copied into a block and is an operation of its
 * own; all that are begun in one turn go to the kernel together.
 */
export class DatagramSender implements BlockWaiter, TrainSender {
  /** Tells the senders of a thread apart, and what a sender knew before its socket was changed. */
  id = ++senders;
  readonly #trains: DatagramTrains;
  /** Whom a datagram without a destination goes to, for errors. */
  peer: Destination | null = null;
  /** Told of a refusal that no call waits for any more. */
  onRefused: ((error: Error) => void) | null = null;
  readonly #loop: Loop;
  readonly #fd: number;
  #inFlight = 0;
  /** Those for which there was no block. */
  readonly #waiting: DatagramSend[] = [];
  /** Those for which a Unix socket had no room, in order. */
  #blocked: DatagramSend[] = [];
  #pause: NodeJS.Timeout | null = null;
  readonly #isUnix: boolean;
  readonly #flags: number;
  #closed = false;
  #referenced = true;
  #onStopped: (() => void) | null = null;

  constructor(loop: Loop, fd: number, isUnix: boolean) {
    this.#loop = loop;
    this.#fd = fd;
    this.#isUnix = isUnix;
    this.#trains = new DatagramTrains(loop, fd, this);
    this.#flags = isUnix ? MSG_NOSIGNAL | MSG_DONTWAIT : MSG_NOSIGNAL;
  }

  /**
   * Sends a datagram of UDP without further wishes. Resolves at once if this destination has taken one as
   * long before: then it leaves with others in the next turn.
   */
  sendPlain(data: Uint8Array, destination: Destination): Promise<number> {
    const { length } = data;
    if (
      destination.isProven(this.id, length) &&
      this.peer === null &&
      this.#waiting.length === 0 &&
      this.#trains.take(data, destination)
    ) {
      return Promise.resolve(length);
    }
    return this.send(data, destination, undefined, undefined);
  }

  /** The socket is about to change: what was sent leaves first, and says no more about what comes. */
  doubt(): void {
    if (this.#trains.flush()) this.#loop.ring.submitAndGetEvents();
    this.id = ++senders;
  }

  /** Sends by itself what was part of a train; nobody waits for it. */
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
    const send = sends.take(this.#loop);
    send.proves = control === undefined ? data.length : 0;
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
    send.proves = control === undefined ? data.length : 0;
    this.#begin(send, data, destination, control, limit);
  }

  /** Sends several at once, which the kernel cuts. */
  sendTrain(train: SegmentedData, limit: SendLimit | undefined): void {
    const send = sends.take(this.#loop);
    send.outcome = train;
    send.parts = train.parts;
    send.proves = train.segmentSize;
    this.#begin(send, NO_BYTES, train.destination, segmentControl(train.segmentSize), limit);
  }

  #begin(
    send: DatagramSend,
    data: Uint8Array,
    destination: Destination | null,
    control: Buffer | undefined,
    limit: SendLimit | undefined,
  ): void {
    // What was sent before goes first.
    this.#trains.flush();
    send.sender = this;
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
    // What a Unix socket has no room for stays in order.
    if (this.#waiting.length !== 0 || this.#blocked.length !== 0) {
      send.data = data;
      this.#waiting.push(send);
    } else if (!this.#start(send, data)) {
      send.data = data;
      this.#waiting.push(send);
      this.#loop.blocks.wait(this);
    }
  }

  /** Copies and submits; false if there is no block. A failure is that of the datagram. */
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
      // At the limit of memory there may be smaller ones only, and a datagram cannot be cut.
      if (block.bytes.length < size) throw this.errorOf(ENOBUFS, send);
      if (parts === null) block.bytes.set(data);
      else copyAll(parts, block.bytes);
      this.#prepare(send, block);
      send.block = block;
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

  /** Whether SEND will do. */
  #isPlain(send: DatagramSend): boolean {
    return send.control.length === 0 && sendsToAddress(this.#loop);
  }

  /** What the kernel's refusal of a datagram means to the caller. */
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
   * A Unix socket had no room (UDP waits by itself). Left to wait, the kernel (6.18) would send an empty
   * datagram in the end, having consumed the data at the first attempt; and no poll tells when an unconnected
   * peer has room. So the first is tried again after a while, and the others follow. False if it is to fail.
   */
  retry(send: DatagramSend): boolean {
    if (!this.#isUnix || this.#closed || this.#loop.closing) return false;
    if (send.limit !== null && send.limit.error() !== null) return false;
    if (this.#blocked[0] !== send) this.#blocked.push(send);
    if (this.#pause === null) {
      this.#pause = setTimeout(this.#retryFirst, RETRY_MS);
      if (!this.#referenced) this.#pause.unref();
    }
    return true;
  }

  readonly #retryFirst = (): void => {
    this.#pause = null;
    if (this.#loop.closing) this.#drop(this.#blocked);
    const first = this.#blocked[0];
    if (first === undefined) this.blockReleased();
    else if (first.slot < 0) this.#prepare(first, first.block!);
  };

  /** The kernel is done with a datagram. */
  completed(send: DatagramSend): void {
    this.#inFlight--;
    if (this.#blocked[0] === send) this.#unblocked();
    this.settle();
  }

  /** Ends the end if nothing is left of it. */
  settle(): void {
    if (this.#idle) this.#onStopped?.();
  }

  get #idle(): boolean {
    return this.#inFlight === 0 && this.#trains.inFlight === 0;
  }

  #unblocked(): void {
    this.#blocked.shift();
    if (this.#pause === null) this.#retryFirst();
  }

  /** Fails those that the kernel does not have. */
  #drop(sends: DatagramSend[]): void {
    for (const send of sends.splice(0)) {
      if (send.block !== null) this.#abandon(send);
      send.fail(this.errorOf(ECANCELED, send));
    }
  }

  #abandon(send: DatagramSend): void {
    this.#loop.blocks.release(send.block!);
    send.block = null;
    this.#inFlight--;
  }

  blockReleased(): void {
    const waiting = this.#waiting;
    while (waiting.length !== 0 && this.#blocked.length === 0) {
      const send = waiting[0]!;
      if (!this.#start(send, send.data)) {
        this.#loop.blocks.wait(this);
        return;
      }
      waiting.shift();
    }
  }

  /** A datagram that the kernel does not have is not to be sent any more. */
  giveUp(send: DatagramSend): void {
    for (const list of [this.#waiting, this.#blocked]) {
      const at = list.indexOf(send);
      if (at === -1) continue;
      list.splice(at, 1);
      this.#drop([send]);
    }
  }

  set referenced(referenced: boolean) {
    this.#referenced = referenced;
  }

  get referenced(): boolean {
    return this.#referenced;
  }

  /** Ends sending: what the kernel has not taken rejects, and `onStopped` is called when it is done with all. */
  stop(onStopped: () => void): void {
    this.#trains.flush();
    this.#closed = true;
    this.#drop(this.#waiting);
    if (this.#pause !== null) clearTimeout(this.#pause);
    const tried = this.#blocked.filter(send => send.slot >= 0);
    this.#drop(this.#blocked.filter(send => send.slot < 0));
    this.#blocked = tried;
    if (this.#idle) {
      onStopped();
      return;
    }
    this.#onStopped = onStopped;
    this.#loop.startUnowned().cancelFd(this.#fd, abi.ASYNC_CANCEL_ALL);
  }
}
