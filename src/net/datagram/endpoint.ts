/** A datagram socket without its public object: both directions, and the close. */
import { closeSocket } from '../../loop/closing/close.js';
import type { Loop } from '../../loop/loop.js';
import { closedError } from '../../sys/errors/errors.js';
import { AF_UNIX, type SocketAddress } from '../../sys/socket/sockaddr.js';
import { localAddress, placeOf } from '../address/addresses.js';
import { datagramClosed } from '../socket/diagnostics.js';
import { forget, type Remains, userOf } from '../socket/forgotten.js';
import type { SocketFile } from '../socket/socket-file.js';
import { kernelDrops } from './kernel-drops.js';
import { DatagramReceiver } from './receiver.js';
import { DatagramSender } from './sender.js';

/** @internal What `bind` knows about a socket. */
export interface SocketSetup {
  domain: number;
  queueLimit: number;
  maxSize: number;
  ancillary: boolean;
  ipv6Only: boolean;
  bound: boolean;
  /** The peer of an adopted connected socket. */
  peer: SocketAddress | undefined;
  /** A Unix socket's path as the caller passed it. */
  path: string | undefined;
  /** The socket file, which is removed when it closes. */
  file: SocketFile | null;
}

/**
 * A datagram socket with its two directions, and the close. `DatagramSocket` is its public object, which operations in
 * flight do not keep alive.
 */
export class DatagramEndpoint implements Remains {
  readonly kind = 'DatagramSocket';
  held: WeakRef<object> | null = null;
  readonly loop: Loop;
  readonly receiver: DatagramReceiver;
  readonly sender: DatagramSender;
  /** The descriptor, -1 once closed. */
  fd: number;
  readonly #file: SocketFile | null;
  /** Called once it is closed. */
  onClosed: (() => void) | null = null;
  #dropped = 0;
  #closing: Promise<void> | null = null;

  constructor(loop: Loop, fd: number, setup: SocketSetup) {
    this.loop = loop;
    this.fd = fd;
    const receiver = new DatagramReceiver(loop, fd, setup.queueLimit, setup.maxSize, setup.ancillary);
    this.receiver = receiver;
    this.sender = new DatagramSender(loop, fd, setup.domain === AF_UNIX);
    this.sender.onRefused = error => receiver.fail(error);
    this.receiver.subject = this;
    this.sender.subject = this;
    this.#file = setup.file;
  }

  get object(): object | undefined {
    return userOf(this);
  }

  get closed(): boolean {
    return this.#closing !== null;
  }

  get place(): string | undefined {
    const address = localAddress(this.fd);
    return address === undefined ? undefined : `at ${placeOf(address)}`;
  }

  /** Datagrams that were lost for lack of room, in the kernel or in the queue. */
  get dropped(): number {
    if (this.fd >= 0) this.#dropped = kernelDrops(this.fd);
    return this.#dropped + this.receiver.overflowed;
  }

  /** @throws UasyncError ERR_CLOSED if the socket cannot be used any more. */
  checkOpen(): void {
    if (this.closed) throw closedError('The socket');
    if (this.loop.closing) throw closedError('The loop');
  }

  setReferenced(referenced: boolean): void {
    this.receiver.setReferenced(referenced);
    this.sender.referenced = referenced;
  }

  close(): Promise<void> {
    this.#closing ??= this.#finish();
    return this.#closing;
  }

  async #finish(): Promise<void> {
    if (!this.loop.closing) {
      await Promise.all([
        new Promise<void>(resolve => this.receiver.stop(resolve)),
        new Promise<void>(resolve => this.sender.stop(resolve)),
      ]);
    }
    const { fd } = this;
    this.#dropped = kernelDrops(fd);
    datagramClosed(this);
    this.fd = -1;
    forget(this);
    this.#file?.remove();
    await closeSocket(this.loop, fd);
    this.onClosed?.();
  }
}
