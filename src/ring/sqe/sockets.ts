import * as abi from '../abi.js';
import { checkFd, checkInt, checkU32 } from '../check.js';
import { SOCKADDR_MAX, type SocketAddress, writeSockaddr } from '../sockaddr.js';
import { SqeFiles } from './files.js';

// socket(2): types and flags, in Linux's numbers
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
// recv(2), send(2): flags
export const MSG_PEEK = 0x2;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const MSG_WAITALL = 0x100;
export const MSG_NOSIGNAL = 0x4000;
// shutdown(2): how
export const SHUT_RD = 0;
export const SHUT_WR = 1;
export const SHUT_RDWR = 2;

/** Operations on sockets. */
export class SqeSockets extends SqeFiles {
  /** Creates a socket; the result is its descriptor. io_uring_prep_socket(3), socket(2), 5.19 */
  socket(domain: number, type: number, protocol = 0): this {
    checkU32('domain', domain);
    checkU32('type', type);
    checkU32('protocol', protocol);
    return this.prep(abi.OP_SOCKET, domain, 0, protocol, type);
  }

  /** Gives a socket its address. io_uring_prep_bind(3), bind(2), 6.11 */
  bind(fd: number, address: SocketAddress): this {
    checkFd(fd);
    const at = this.scratch.alloc(SOCKADDR_MAX);
    const length = writeSockaddr(this.scratch.bytes, this.scratch.start, address);
    return this.prep(abi.OP_BIND, fd, at, 0, length);
  }

  /** Makes a socket accept connections. io_uring_prep_listen(3), listen(2), 6.11 */
  listen(fd: number, backlog: number): this {
    checkInt('backlog', backlog, 0, 0x7fffffff);
    return this.prep(abi.OP_LISTEN, checkFd(fd), 0, backlog, 0);
  }

  /**
   * Takes one connection; the result is its descriptor.
   * @param flags SOCK_CLOEXEC, SOCK_NONBLOCK. io_uring_prep_accept(3), accept4(2)
   */
  accept(fd: number, flags = SOCK_CLOEXEC): this {
    checkU32('flags', flags);
    return this.prep(abi.OP_ACCEPT, checkFd(fd), 0, 0, 0).opFlags(flags);
  }

  /** Takes connections until it fails or is cancelled. io_uring_prep_multishot_accept(3), 5.19 */
  multishotAccept(fd: number, flags = SOCK_CLOEXEC): this {
    return this.accept(fd, flags).ioprio(abi.ACCEPT_MULTISHOT);
  }

  /** Connects a socket. io_uring_prep_connect(3), connect(2) */
  connect(fd: number, address: SocketAddress): this {
    checkFd(fd);
    const at = this.scratch.alloc(SOCKADDR_MAX);
    const length = writeSockaddr(this.scratch.bytes, this.scratch.start, address);
    return this.prep(abi.OP_CONNECT, fd, at, 0, length);
  }

  /** Receives into `buffer`; the result is the number of bytes, 0 at the end. io_uring_prep_recv(3), recv(2) */
  recv(fd: number, buffer: ArrayBufferView, flags = 0): this {
    checkFd(fd);
    checkU32('flags', flags);
    const address = this.bytes('buffer', buffer);
    return this.prep(abi.OP_RECV, fd, address, buffer.byteLength, 0).opFlags(flags);
  }

  /**
   * Receives again and again into buffers of a group, until it fails, ends or runs out of them: each
   * completion names its buffer. io_uring_prep_recv_multishot(3), 6.0
   */
  recvMultishot(fd: number, group: number, flags = 0): this {
    checkU32('flags', flags);
    return this.prep(abi.OP_RECV, checkFd(fd), 0, 0, 0)
      .opFlags(flags)
      .ioprio(abi.RECV_MULTISHOT)
      .bufferSelect(group);
  }

  /** Sends `buffer`; the result is the number of bytes taken. io_uring_prep_send(3), send(2) */
  send(fd: number, buffer: ArrayBufferView, flags = MSG_NOSIGNAL): this {
    checkFd(fd);
    checkU32('flags', flags);
    const address = this.bytes('buffer', buffer);
    return this.prep(abi.OP_SEND, fd, address, buffer.byteLength, 0).opFlags(flags);
  }

  /** Ends one or both directions. io_uring_prep_shutdown(3), shutdown(2), 5.11 */
  shutdown(fd: number, how: number): this {
    checkInt('how', how, SHUT_RD, SHUT_RDWR);
    return this.prep(abi.OP_SHUTDOWN, checkFd(fd), 0, how, 0);
  }
}
