import { AbortError } from '../loop/abort.js';
import { BLOCK_MAX, type Block, type BlockWaiter } from '../loop/blocks.js';
import type { Loop } from '../loop/loop.js';
import { Operation } from '../loop/operation.js';
import { OperationPool } from '../loop/pool.js';
import { promiseOf, type Settler } from '../loop/settler.js';
import type { WaitOptions } from '../loop/waiter.js';
import * as abi from '../ring/abi.js';
import { ECANCELED, EINTR, EMSGSIZE, ENOBUFS, ETIMEDOUT } from '../ring/errno.js';
import { closedError, stateError, systemError } from '../ring/errors.js';
import { MSG_NOSIGNAL } from '../ring/sqe/sockets.js';
import { IOVEC, MSGHDR } from '../ring/structs.js';
import type { Destination } from './datagram-destinations.js';

/** What a datagram consists of: text is sent as UTF-8, the parts of an array one behind the other. */
export type DatagramData = string | Uint8Array | readonly (string | Uint8Array)[];

/** Where `struct msghdr` and its parts are behind the data: they start at a multiple of this. */
const ALIGN = 16;
const HEADER = 64;
const NO_BYTES = new Uint8Array(0);
const NO_CONTROL = Buffer.alloc(0);

/** Who is told how a datagram fared. */
export interface SendOutcome {
  sent(index: number, bytes: number): void;
  failed(index: number, error: Error): void;
}

/** One datagram, from the call until the kernel has taken it. */
class DatagramSend extends Operation implements Settler<number> {
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
  length = 0;
  control: Buffer = NO_CONTROL;
  limit: Limit | null = null;

  /** Most are taken while they are submitted: who awaits one is served in the same turn. */
  override get eager(): boolean {
    return true;
  }

  override get syscall(): string {
    return 'send';
  }

  complete(res: number): void {
    this.loop.blocks.release(this.block!);
    this.block = null;
    const sender = this.sender!;
    if (res >= 0) this.#settle(res);
    else this.fail(sender.errorOf(res, this));
    sender.completed();
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
    this.limit?.end();
    this.limit = null;
    this.outcome = null;
    this.destination = null;
    this.data = NO_BYTES;
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

/** A caller's signal and timeout for one datagram. */
class Limit {
  readonly #send: DatagramSend;
  readonly #signal: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  #late = false;

  constructor(send: DatagramSend, { signal, timeout }: WaitOptions) {
    this.#send = send;
    this.#signal = signal;
    signal?.addEventListener('abort', this);
    if (timeout !== undefined) {
      this.#timer = setTimeout(() => this.#onTimeout(), Math.min(timeout, 0x7fffffff));
    }
  }

  handleEvent(): void {
    this.#send.cancel();
  }

  #onTimeout(): void {
    this.#late = true;
    this.#send.cancel();
  }

  /** Why the datagram was given up, if it was. */
  error(): Error | null {
    if (this.#signal?.aborted) return new AbortError(this.#signal);
    return this.#late ? systemError(ETIMEDOUT, 'send', this.#send.destination?.details) : null;
  }

  end(): void {
    this.#signal?.removeEventListener('abort', this);
    clearTimeout(this.#timer);
  }
}

/**
 * The sending side of a datagram socket. Each datagram is copied into a block and is an operation of its
 * own; all that are begun in one turn go to the kernel together.
 */
export class DatagramSender implements BlockWaiter {
  /** Whom a datagram without a destination goes to, for errors. */
  peer: Destination | null = null;
  readonly #loop: Loop;
  readonly #fd: number;
  #inFlight = 0;
  /** Those for which there was no block. */
  readonly #waiting: DatagramSend[] = [];
  #closed = false;
  #referenced = true;
  #onStopped: (() => void) | null = null;

  constructor(loop: Loop, fd: number) {
    this.#loop = loop;
    this.#fd = fd;
  }

  /** Sends a datagram to `destination`, or to the peer of a connected socket. Resolves to its length. */
  send(
    data: Uint8Array,
    destination: Destination | null,
    control: Buffer | undefined,
    options: WaitOptions | undefined,
  ): Promise<number> {
    const send = sends.take(this.#loop);
    const promise = promiseOf(send);
    this.#begin(send, data, destination, control, options);
    return promise;
  }

  /** As `send`, for one of many. */
  sendFor(
    outcome: SendOutcome,
    index: number,
    data: Uint8Array,
    destination: Destination | null,
    control: Buffer | undefined,
    options: WaitOptions | undefined,
  ): void {
    const send = sends.take(this.#loop);
    send.outcome = outcome;
    send.index = index;
    this.#begin(send, data, destination, control, options);
  }

  #begin(
    send: DatagramSend,
    data: Uint8Array,
    destination: Destination | null,
    control: Buffer | undefined,
    options: WaitOptions | undefined,
  ): void {
    send.sender = this;
    send.destination = destination;
    send.length = data.length;
    send.referenced = this.#referenced;
    if (control !== undefined) send.control = control;
    if (options !== undefined) send.limit = new Limit(send, options);
    if (this.#waiting.length !== 0) {
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
      if (data.length < send.length) throw stateError('The buffer was detached while it waited to be sent');
      const { length } = data;
      // A control message is looked at again when the datagram has had to wait for room: it stays in the block.
      const plain = send.control.length === 0 && this.#sendsToAddress;
      const header = (length + ALIGN - 1) & -ALIGN;
      const size = plain ? length : header + HEADER + IOVEC.size + send.control.length;
      if (size > BLOCK_MAX) throw this.errorOf(EMSGSIZE, send);
      block = this.#loop.blocks.acquire(size);
      if (block === null) return false;
      // At the limit of memory there may be smaller ones only, and a datagram cannot be cut.
      if (block.bytes.length < size) throw this.errorOf(ENOBUFS, send);
      block.bytes.set(data);
      if (plain) this.#submit(send, block);
      else this.#submitMessage(send, block, header);
      send.block = block;
      this.#inFlight++;
    } catch (error) {
      if (block !== null) this.#loop.blocks.release(block);
      send.fail(error as Error);
    }
    return true;
  }

  /** 6.0 has SEND without an address only; SENDMSG_ZC came with 6.1 too. */
  get #sendsToAddress(): boolean {
    return this.#loop.ops.has(abi.OP_SENDMSG_ZC);
  }

  #submit(send: DatagramSend, block: Block): void {
    const sqe = this.#loop.start(send);
    sqe.prep(abi.OP_SEND, this.#fd, block.address, send.length, 0).opFlags(MSG_NOSIGNAL);
    const { destination } = send;
    if (destination === null) return;
    const name = destination.bytes;
    const address = sqe.scratch.alloc(name.length);
    sqe.scratch.bytes.set(name, sqe.scratch.start);
    sqe.off(address).fileIndex(name.length);
  }

  /** A msghdr behind the data in the block: msghdr, iovec, control messages. */
  #submitMessage(send: DatagramSend, block: Block, at: number): void {
    const sqe = this.#loop.start(send);
    const { bytes } = block;
    const iov = at + HEADER;
    const control = iov + IOVEC.size;
    bytes.fill(0, at, iov);
    const name = send.destination?.bytes;
    if (name !== undefined) {
      const address = sqe.scratch.alloc(name.length);
      sqe.scratch.bytes.set(name, sqe.scratch.start);
      bytes.writeBigUInt64LE(BigInt(address), at + MSGHDR.msg_name);
      bytes.writeUInt32LE(name.length, at + MSGHDR.msg_namelen);
    }
    bytes.writeBigUInt64LE(BigInt(block.address + iov), at + MSGHDR.msg_iov);
    bytes.writeBigUInt64LE(1n, at + MSGHDR.msg_iovlen);
    bytes.writeBigUInt64LE(BigInt(block.address), iov + IOVEC.iov_base);
    bytes.writeBigUInt64LE(BigInt(send.length), iov + IOVEC.iov_len);
    if (send.control.length !== 0) {
      bytes.set(send.control, control);
      bytes.writeBigUInt64LE(BigInt(block.address + control), at + MSGHDR.msg_control);
      bytes.writeBigUInt64LE(BigInt(send.control.length), at + MSGHDR.msg_controllen);
    }
    sqe.prep(abi.OP_SENDMSG, this.#fd, block.address + at, 1, 0).opFlags(MSG_NOSIGNAL);
  }

  /** What the kernel's refusal of a datagram means to the caller. */
  errorOf(res: number, send: DatagramSend): Error {
    if (res === ECANCELED || res === EINTR) {
      const given = send.limit?.error();
      if (given) return given;
      if (this.#closed) return closedError('The socket');
      if (this.#loop.closing) return closedError('The loop');
    }
    return systemError(res, 'send', (send.destination ?? this.peer)?.details);
  }

  /** The kernel is done with a datagram. */
  completed(): void {
    this.#inFlight--;
    if (this.#inFlight === 0 && this.#onStopped !== null) this.#onStopped();
  }

  blockReleased(): void {
    const waiting = this.#waiting;
    while (waiting.length !== 0) {
      const send = waiting[0]!;
      if (!this.#start(send, send.data)) {
        this.#loop.blocks.wait(this);
        return;
      }
      waiting.shift();
    }
  }

  /** A datagram that waits for a block is not to be sent any more. */
  giveUp(send: DatagramSend): void {
    const at = this.#waiting.indexOf(send);
    if (at === -1) return;
    this.#waiting.splice(at, 1);
    send.fail(this.errorOf(ECANCELED, send));
  }

  set referenced(referenced: boolean) {
    this.#referenced = referenced;
  }

  /** Ends sending: what the kernel has not taken rejects, and `onStopped` is called when it is done with all. */
  stop(onStopped: () => void): void {
    this.#closed = true;
    for (const send of this.#waiting.splice(0)) send.fail(closedError('The socket'));
    if (this.#inFlight === 0) {
      onStopped();
      return;
    }
    this.#onStopped = onStopped;
    this.#loop.startUnowned().cancelFd(this.#fd, abi.ASYNC_CANCEL_ALL);
  }
}
