/** System calls on sockets that never wait. The ring sends what the socket does not take at once. */

import { constants } from 'node:fs';
import { EAGAIN, EINTR, EPIPE } from '../abi/errno.js';
import { F_GETFL, F_SETFL } from '../abi/fcntl.js';
import { MSG_DONTWAIT, MSG_MORE, MSG_NOSIGNAL } from '../abi/sockets.js';
import { NR_CACHESTAT, NR_FCNTL, NR_RT_SIGPROCMASK, NR_SENDFILE, NR_SENDTO } from '../abi/syscall-numbers.js';
import { libc } from '../libc/libc.js';
import { Mapping } from '../memory/mapping.js';
import { putU64 } from '../memory/words.js';

/** Larger sends gain nothing: the copy into this memory costs as much as the ring. */
export const SEND_MAX = 16384;
/** A UTF-16 unit takes at most three bytes in UTF-8. */
export const UTF8_MAX = 3;
/** The longest text that always fits, in UTF-16 units. */
export const TEXT_MAX = Math.floor(SEND_MAX / UTF8_MAX);

const SOCKADDR_MAX = 128;
const FLAGS = MSG_NOSIGNAL | MSG_DONTWAIT;
/** Where pages are larger, nothing counts as cached. */
const PAGE = 4096;
const SIGPIPE = 13;
const SIG_BLOCK = 0;
const SIG_SETMASK = 2;
/** The size of a set of signals, in bytes. */
const SIGSET = 8;

// Offsets in the memory of the calls, after the bytes to send.
const SOCKADDR_AT = SEND_MAX;
/** A struct cachestat_range: an offset and a length. */
const RANGE_AT = SOCKADDR_AT + SOCKADDR_MAX;
/** A struct cachestat, whose first field counts cached pages. */
const CACHED_AT = RANGE_AT + 16;
/** Two sets of signals. */
const SIGPIPE_AT = CACHED_AT + 40;
const OLD_MASK_AT = SIGPIPE_AT + SIGSET;
/** A struct timespec of no time. */
const NO_TIME_AT = OLD_MASK_AT + SIGSET;
const SIZE = NO_TIME_AT + 16;

/** The calls of one thread. They share memory, which the kernel no longer uses once a call has returned. */
export class SocketCalls {
  readonly #memory = Mapping.anonymous(SIZE);
  readonly #bytes = Buffer.from(this.#memory.buffer);
  readonly #words = new Uint32Array(this.#memory.buffer);
  readonly #libc = libc();
  /** The number of bytes that the last call tried to send. */
  length = 0;

  /** Sends up to SEND_MAX bytes; returns how many the socket took, or a negative errno. send(2) */
  send(fd: number, bytes: Uint8Array): number {
    this.#bytes.set(bytes);
    return this.put(fd, bytes.length);
  }

  /**
   * Sends any number of bytes in place; returns how many the socket took, or a negative errno. send(2)
   * @param more whether other bytes follow at once, in the same packet.
   */
  sendInPlace(fd: number, bytes: Uint8Array, more = false): number {
    return this.#libc.send(fd, bytes, more ? FLAGS | MSG_MORE : FLAGS);
  }

  /**
   * As `sendInPlace`, of parts that leave in the same packets. A negative errno if one fails, even after others were taken.
   */
  sendParts(fd: number, parts: readonly Uint8Array[]): number {
    const last = parts.length - 1;
    let sent = 0;
    for (let i = 0; i <= last; i++) {
      const part = parts[i]!;
      const res = this.sendInPlace(fd, part, i < last);
      if (res < 0) return res === EAGAIN || res === EINTR ? sent : res;
      sent += res;
      if (res !== part.length) break;
    }
    return sent;
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
    this.#bytes.set(address, SOCKADDR_AT);
    const { address: memory } = this.#memory;
    this.length = bytes.length;
    return this.#libc.syscall(
      NR_SENDTO,
      fd,
      memory,
      bytes.length,
      FLAGS,
      memory + SOCKADDR_AT,
      address.length,
    );
  }

  /**
   * As `send`, for up to TEXT_MAX characters in UTF-8.
   * @param more whether other bytes follow at once, in the same packet.
   */
  sendText(fd: number, text: string, more = false): number {
    return this.put(fd, this.#bytes.write(text, 0, SEND_MAX), more ? FLAGS | MSG_MORE : FLAGS);
  }

  /** Sends the first bytes of the shared memory. */
  protected put(fd: number, length: number, flags = FLAGS): number {
    this.length = length;
    return this.#libc.sendAt(fd, this.#memory.address, length, flags);
  }

  /** A copy of the last `count` bytes that the last call tried to send. */
  rest(count: number): Buffer {
    return Buffer.from(this.#bytes.subarray(this.length - count, this.length));
  }

  /**
   * 1 if all of a part of a file is in the page cache or being read into it, else 0. A negative errno where the kernel
   * does not tell: before 6.5, and on current kernels for files that the process neither owns nor may write. cachestat(2)
   */
  isCached(file: number, offset: number, length: number): number {
    const { address } = this.#memory;
    const start = offset - (offset % PAGE);
    const pages = Math.ceil((offset + length - start) / PAGE);
    this.#setRange(start, pages * PAGE);
    const failed = this.#libc.syscall(NR_CACHESTAT, file, address + RANGE_AT, address + CACHED_AT, 0, 0, 0);
    if (failed < 0) return failed;
    return this.#words[CACHED_AT >> 2]! >= pages ? 1 : 0;
  }

  /**
   * Sends cached bytes of a file without copying them; returns how many the socket took, or a negative errno. sendfile(2)
   */
  sendFile(socket: number, file: number, offset: number, length: number): number {
    const { syscall } = this.#libc;
    // The call has no flags: it waits unless the socket is non-blocking. The ring's operations need one that is not.
    const flags = syscall(NR_FCNTL, socket, F_GETFL, 0, 0, 0, 0);
    if (flags < 0) return flags;
    const { address } = this.#memory;
    syscall(NR_FCNTL, socket, F_SETFL, flags | constants.O_NONBLOCK, 0, 0, 0);
    // It has no MSG_NOSIGNAL either: the signal for a peer that has gone ends a process that has no handler left for it.
    this.#words[SIGPIPE_AT >> 2] = 1 << (SIGPIPE - 1);
    const [set, old] = [address + SIGPIPE_AT, address + OLD_MASK_AT];
    syscall(NR_RT_SIGPROCMASK, SIG_BLOCK, set, old, SIGSET, 0, 0);
    this.#setRange(offset, 0);
    const sent = syscall(NR_SENDFILE, socket, file, address + RANGE_AT, length, 0, 0);
    // The signal is pending for this thread alone, and is taken from there: other threads share the handlers.
    const mayRaise = sent === EPIPE || (sent > 0 && sent < length);
    if (mayRaise) this.#libc.takeSignal(set, address + NO_TIME_AT);
    syscall(NR_RT_SIGPROCMASK, SIG_SETMASK, old, 0, SIGSET, 0, 0);
    syscall(NR_FCNTL, socket, F_SETFL, flags, 0, 0, 0);
    return sent;
  }

  #setRange(offset: number, length: number): void {
    putU64(this.#words, RANGE_AT >> 2, offset);
    putU64(this.#words, (RANGE_AT + 8) >> 2, length);
  }

  /** Unmaps the memory. */
  unmap(): void {
    this.#memory.unmap();
  }
}
