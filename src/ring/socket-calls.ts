/** System calls on sockets that never wait: what the socket does not take at once is sent through the ring. */

import { libc } from './libc.js';
import { Mapping } from './mapping.js';
import { MSG_DONTWAIT, MSG_NOSIGNAL } from './sqe/sockets.js';
import { NR_SENDTO } from './syscall-numbers.js';

/** What is larger gains nothing: the copy into this memory costs what the ring does. */
export const SEND_MAX = 16384;
/** UTF-8 takes at most three bytes for each UTF-16 unit. */
export const UTF8_MAX = 3;
/** The longest text that certainly fits, in UTF-16 units. */
export const TEXT_MAX = Math.floor(SEND_MAX / UTF8_MAX);

const SOCKADDR_MAX = 128;
const FLAGS = MSG_NOSIGNAL | MSG_DONTWAIT;

/** The calls of one thread, from memory that they share: the kernel is done with it when a call returns. */
export class SocketCalls {
  readonly #memory = Mapping.anonymous(SEND_MAX + SOCKADDR_MAX);
  readonly #bytes = Buffer.from(this.#memory.buffer);
  readonly #libc = libc();
  /** How many bytes the last call had to send. */
  length = 0;

  /** Sends at most SEND_MAX bytes; how many the socket has taken, or a negative errno. send(2) */
  send(fd: number, bytes: Uint8Array): number {
    this.#bytes.set(bytes);
    return this.put(fd, bytes.length);
  }

  /** Sends bytes of any number from where they are; how many the socket has taken, or a negative errno. send(2) */
  sendInPlace(fd: number, bytes: Uint8Array): number {
    return libc().send(fd, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  /** Sends bytes that are where the kernel may read them; how many the socket has taken, or a negative errno. */
  sendAt(fd: number, address: number, length: number): number {
    return this.#libc.sendAt(fd, address, length, FLAGS);
  }

  /** Receives what is there, to where the kernel may write it; how many bytes, or a negative errno. recv(2) */
  receiveAt(fd: number, address: number, length: number): number {
    return this.#libc.receiveAt(fd, address, length, MSG_DONTWAIT);
  }

  /** As `send`, of a datagram to an address. sendto(2) */
  sendTo(fd: number, bytes: Uint8Array, address: Uint8Array): number {
    this.#bytes.set(bytes);
    this.#bytes.set(address, SEND_MAX);
    const { address: memory } = this.#memory;
    this.length = bytes.length;
    return this.#libc.syscall(NR_SENDTO, fd, memory, bytes.length, FLAGS, memory + SEND_MAX, address.length);
  }

  /** As `send`, of at most TEXT_MAX characters in UTF-8. */
  sendText(fd: number, text: string): number {
    return this.put(fd, this.#bytes.write(text, 0, SEND_MAX));
  }

  /** Sends the first bytes of the shared memory. */
  protected put(fd: number, length: number): number {
    this.length = length;
    return this.#libc.sendAt(fd, this.#memory.address, length, FLAGS);
  }

  /** The last `count` bytes of what the last call had to send, in memory of their own. */
  rest(count: number): Buffer {
    return Buffer.from(this.#bytes.subarray(this.length - count, this.length));
  }

  /** Gives the memory back. */
  unmap(): void {
    this.#memory.unmap();
  }
}
