import { ENOSYS, EOPNOTSUPP } from '../sys/abi/errno.js';
import { F_GETFL, F_SETFL } from '../sys/abi/fcntl.js';
import { RWF_NOWAIT } from '../sys/abi/flags.js';
import { MSG_DONTWAIT, SO_ERROR, SOL_SOCKET } from '../sys/abi/sockets.js';
import { IOVEC, POLLFD } from '../sys/abi/structs.js';
import {
  NR_CONNECT,
  NR_FCNTL,
  NR_GETSOCKOPT,
  NR_PREADV2,
  NR_PWRITEV2,
  NR_READ,
  NR_RECVMSG,
  NR_SENDMSG,
  NR_SENDTO,
  NR_WRITE,
} from '../sys/abi/syscall-numbers.js';
import { libc } from '../sys/libc/libc.js';
import { Mapping } from '../sys/memory/mapping.js';

export const O_NONBLOCK = 0o4000;
const TWO_32 = 2 ** 32;

const IOVEC_AT = 0;
const POLLFD_AT = IOVEC_AT + IOVEC.size;
const OPTION_AT = POLLFD_AT + POLLFD.size;
const LENGTH_AT = OPTION_AT + 8;
const SIZE = 4096;

/** The system calls of a ring. None of them waits. Each returns its result or a negative errno. */
export class Calls {
  readonly #memory = Mapping.anonymous(SIZE);
  readonly #words = new Int32Array(this.#memory.buffer);
  readonly #halves = new Uint16Array(this.#memory.buffer);
  readonly #libc = libc();
  readonly #call = this.#libc.syscall;

  receive(fd: number, address: number, length: number, flags: number): number {
    return this.#libc.receiveAt(fd, address, length, flags | MSG_DONTWAIT);
  }

  /** @param name the address of a sockaddr, or 0. */
  send(fd: number, address: number, length: number, flags: number, name: number, nameLength: number): number {
    if (name === 0) return this.#libc.sendAt(fd, address, length, flags | MSG_DONTWAIT);
    return this.#call(NR_SENDTO, fd, address, length, flags | MSG_DONTWAIT, name, nameLength);
  }

  receiveMessage(fd: number, header: number, flags: number): number {
    return this.#call(NR_RECVMSG, fd, header, flags | MSG_DONTWAIT, 0, 0, 0);
  }

  sendMessage(fd: number, header: number, flags: number): number {
    return this.#call(NR_SENDMSG, fd, header, flags | MSG_DONTWAIT, 0, 0, 0);
  }

  /** EINPROGRESS if the connection is not established at once. */
  connect(fd: number, name: number, length: number): number {
    const flags = this.#call(NR_FCNTL, fd, F_GETFL, 0, 0, 0, 0);
    if (flags < 0) return flags;
    if (flags & O_NONBLOCK) return this.#call(NR_CONNECT, fd, name, length, 0, 0, 0);
    this.#call(NR_FCNTL, fd, F_SETFL, flags | O_NONBLOCK, 0, 0, 0);
    const result = this.#call(NR_CONNECT, fd, name, length, 0, 0, 0);
    this.#call(NR_FCNTL, fd, F_SETFL, flags, 0, 0, 0);
    return result;
  }

  /** Makes `accept` non-blocking, for every process that shares the socket: accept has no flag for a single call. */
  setNonBlocking(fd: number): number {
    const flags = this.#call(NR_FCNTL, fd, F_GETFL, 0, 0, 0, 0);
    if (flags < 0 || flags & O_NONBLOCK) return flags;
    return this.#call(NR_FCNTL, fd, F_SETFL, flags | O_NONBLOCK, 0, 0, 0);
  }

  /** The pending error of a socket, 0 or a negative errno, which the call clears. socket(7), SO_ERROR */
  socketError(fd: number): number {
    const failed = this.option(fd, SOL_SOCKET, SO_ERROR);
    return failed < 0 ? failed : -this.#words[OPTION_AT >> 2]!;
  }

  /** Reads a numeric socket option; see `value`. */
  option(fd: number, level: number, name: number): number {
    const { address } = this.#memory;
    this.#words[LENGTH_AT >> 2] = 4;
    return this.#call(NR_GETSOCKOPT, fd, level, name, address + OPTION_AT, address + LENGTH_AT, 0);
  }

  /** The value that `option` has read. */
  get value(): number {
    return this.#words[OPTION_AT >> 2]!;
  }

  /** Which of these events a descriptor has now; poll(2). POLLNVAL if the descriptor is not open. */
  poll(fd: number, events: number): number {
    const at = POLLFD_AT >> 2;
    this.#words[at] = fd;
    this.#words[at + 1] = events & 0xffff;
    const count = this.#libc.poll(this.#memory.address + POLLFD_AT, 1);
    return count < 0 ? count : this.#halves[(POLLFD_AT + POLLFD.revents) >> 1]!;
  }

  /**
   * Reads available data, EAGAIN if there is none, EOPNOTSUPP for files without non-blocking reads. preadv2(2),
   * RWF_NOWAIT
   * @param position -1 for the current one.
   */
  read(fd: number, address: number, length: number, position: number, flags: number): number {
    return this.#move(NR_PREADV2, fd, address, length, position, flags | RWF_NOWAIT);
  }

  /** As `read`. pwritev2(2) */
  write(fd: number, address: number, length: number, position: number, flags: number): number {
    return this.#move(NR_PWRITEV2, fd, address, length, position, flags | RWF_NOWAIT);
  }

  #move(call: number, fd: number, address: number, length: number, position: number, flags: number): number {
    const words = this.#words;
    const at = IOVEC_AT >> 2;
    words[at] = address;
    words[at + 1] = address / TWO_32;
    words[at + 2] = length;
    words[at + 3] = 0;
    const res = this.#call(call, fd, this.#memory.address + IOVEC_AT, 1, position, 0, flags);
    // A sandbox may lack these calls.
    return res === ENOSYS ? EOPNOTSUPP : res;
  }

  /** An entry of a struct iovec[] at an address. */
  iovec(address: number, index: number): { base: number; length: number } {
    const at = IOVEC_AT >> 2;
    const words = this.#words;
    this.#libc.copy(this.#memory.address + IOVEC_AT, address + index * IOVEC.size, IOVEC.size);
    return {
      base: words[at + 1]! * TWO_32 + (words[at]! >>> 0),
      length: words[at + 3]! * TWO_32 + (words[at + 2]! >>> 0),
    };
  }

  /**
   * Reads from or writes to a FIFO or a terminal, for which no single call can be non-blocking. O_NONBLOCK is set for
   * the duration. Everyone who shares the open file sees it, and a worker may be terminated at any JavaScript function
   * call, so it is cleared again in the same straight line of code.
   * @param flags those of `fcntl`, without O_NONBLOCK.
   */
  transferNonBlocking(writes: boolean, fd: number, address: number, length: number, flags: number): number {
    const call = this.#call;
    const number = writes ? NR_WRITE : NR_READ;
    call(NR_FCNTL, fd, F_SETFL, flags | O_NONBLOCK, 0, 0, 0);
    const result = call(number, fd, address, length, 0, 0, 0);
    call(NR_FCNTL, fd, F_SETFL, flags, 0, 0, 0);
    return result;
  }

  /** As `transferNonBlocking`, if O_NONBLOCK is set already. */
  transferAsSet(writes: boolean, fd: number, address: number, length: number): number {
    return this.#call(writes ? NR_WRITE : NR_READ, fd, address, length, 0, 0, 0);
  }

  /** The flags of an open file, or a negative errno. fcntl(2), F_GETFL */
  flagsOf(fd: number): number {
    return this.#call(NR_FCNTL, fd, F_GETFL, 0, 0, 0, 0);
  }

  unmap(): void {
    this.#memory.unmap();
  }
}
