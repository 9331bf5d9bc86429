import type { Loop } from '../../loop/loop.js';
import { hasBuffer, hasMore } from '../../loop/operation/completion.js';
import type { Delivery } from '../../loop/operation/deliveries.js';
import { Operation } from '../../loop/operation/operation.js';
import type { Subject } from '../../loop/operation/pending.js';
import { DATAGRAM_MAX, DatagramBuffers } from '../../net/datagram/buffers.js';
import { type Datagram, datagramIn } from '../../net/datagram/received.js';
import { ECANCELED, EINTR, ENOBUFS } from '../../sys/abi/errno.js';
import { MSG_TRUNC } from '../../sys/abi/sockets.js';
import { SOCKADDR_MAX } from '../../sys/socket/sockaddr.js';

/** The handle that a receiver belongs to. */
interface ReceivingHandle extends Subject {
  readonly fd: number;
  readonly referenced: boolean;
  received(datagram: Datagram): void;
  failed(status: number): void;
}

/** The receiving side of a UDP handle: a multishot receive, whose datagrams are delivered one by one. */
export class UdpReceiver extends Operation implements Delivery {
  readonly #handle: ReceivingHandle;
  readonly #buffers: DatagramBuffers;
  /** Datagrams to deliver, and negative errnos. */
  #received: (Datagram | number)[] = [];
  #next = 0;
  #receiving = false;
  #stopped = false;
  #onStopped: (() => void) | null = null;

  constructor(loop: Loop, handle: ReceivingHandle) {
    super(loop);
    this.#handle = handle;
    this.#buffers = DatagramBuffers.of(loop);
    this.subject = handle;
    this.referenced = handle.referenced;
  }

  override get syscall(): string {
    return 'recvmsg';
  }

  start(): void {
    this.#receiving = true;
    this.#arm();
  }

  /** Datagrams that arrive from now on are dropped. */
  pause(): void {
    this.#receiving = false;
    this.#received = [];
    this.#next = 0;
    if (this.slot >= 0) this.loop.cancel(this);
  }

  /** Stops receiving, and calls `onStopped` once the kernel is done. */
  stop(onStopped: () => void): void {
    this.#stopped = true;
    this.pause();
    if (this.slot >= 0) this.#onStopped = onStopped;
    else onStopped();
  }

  #arm(): void {
    if (!this.#receiving || this.#stopped || this.slot >= 0 || this.loop.closing) return;
    this.loop
      .start(this)
      .recvmsgMultishotAt(this.#handle.fd, SOCKADDR_MAX, 0, MSG_TRUNC, this.#buffers.group);
  }

  complete(res: number, flags: number): void {
    if (hasBuffer(flags)) {
      if (res >= 0 && this.#receiving) this.#add(datagramIn(this.#buffers, flags, DATAGRAM_MAX, false));
      this.#buffers.giveBack(flags);
    }
    const failed = res < 0 && res !== ENOBUFS && res !== EINTR && res !== ECANCELED;
    if (failed && this.#receiving) this.#add(res);
    if (hasMore(flags)) return;
    if (this.#onStopped !== null) this.#onStopped();
    else this.#arm();
  }

  #add(received: Datagram | number): void {
    this.#received.push(received);
    this.loop.deliver(this);
  }

  deliver(): void {
    const received = this.#received[this.#next++];
    if (this.#next >= this.#received.length) {
      this.#received = [];
      this.#next = 0;
    }
    if (received === undefined) return;
    if (typeof received === 'number') this.#handle.failed(received);
    else this.#handle.received(received);
  }
}
