/** System calls on sockets that never wait. The ring sends what the socket does not take at once. */

import { MSG_DONTWAIT, MSG_NOSIGNAL } from '../abi/sockets.js';
import { NR_SENDTO } from '../abi/syscall-numbers.js';
import { libc } from '../libc/libc.js';
import { Mapping } from '../memory/mapping.js';

/** Larger sends gain nothing: the copy into this memory costs as much as the ring. */
export const SEND_MAX = 16384;
/** A UTF-16 unit takes at most three bytes in UTF-8. */
export const UTF8_MAX = 3;
/** The longest text that always fits, in UTF-16 units. */
export const TEXT_MAX = Math.floor(SEND_MAX / UTF8_MAX);

const SOCKADDR_MAX = 128;
const FLAGS = MSG_NOSIGNAL | MSG_DONTWAIT;

/** The calls of one thread. They share memory, which the kernel no longer uses once a call has returned. */
export class SocketCalls {
  readonly #memory = Mapping.anonymous(SEND_MAX + SOCKADDR_MAX);
  readonly #bytes = Buffer.from(this.#memory.buffer);
  readonly #libc = libc();
  /** The number of bytes that the last call tried to send. */
  length = 0;

  /** Sends up to SEND_MAX bytes; returns how many the socket took, or a negative errno. send(2) */
  send(fd: number, bytes: Uint8Array): number {
    this.#bytes.set(bytes);
    return this.put(fd, bytes.length);
  }

  /** Sends any number of bytes in place; returns how many the socket took, or a negative errno. send(2) */
  sendInPlace(fd: number, bytes: Uint8Array): number {
    return libc().send(fd, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  /** Sends bytes from memory that the kernel may read; returns how many the socket took, or a negative errno. */
  sendAt(fd: number, address: number, length: number): number {
    return this.#libc.sendAt(fd, address, length, FLAGS);
  }

  /**
   * Receives available bytes into memory that the kernel may write; returns their number, or a negative errno. recv(2)
   */
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

  /** As `send`, for up to TEXT_MAX characters in UTF-8. */
  sendText(fd: number, text: string): number {
    return this.put(fd, this.#bytes.write(text, 0, SEND_MAX));
  }

  /** Sends the first bytes of the shared memory. */
  protected put(fd: number, length: number): number {
    this.length = length;
    return this.#libc.sendAt(fd, this.#memory.address, length, FLAGS);
  }

  /** A copy of the last `count` bytes that the last call tried to send. */
  rest(count: number): Buffer {
    return Buffer.from(this.#bytes.subarray(this.length - count, this.length));
  }

  /** Unmaps the memory. */
  unmap(): void {
    this.#memory.unmap();
  }
}
