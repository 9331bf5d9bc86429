import { MSG_NOSIGNAL, SHUT_RD, SHUT_RDWR, SOCK_CLOEXEC } from '../../sys/abi/sockets.js';
import { checkBytes, checkFd, checkInt, checkU16, checkU32 } from '../../sys/check/check.js';
import { argTypeError } from '../../sys/errors/errors.js';
import { AddressBuffer } from '../../sys/socket/address-buffer.js';
import { SOCKADDR_MAX, type SocketAddress, writeSockaddr } from '../../sys/socket/sockaddr.js';
import * as abi from '../abi/io-uring.js';
import { SQE } from '../abi/structs.js';
import { checkSlot, type Data, type InPlace } from './core.js';
import { SqePaths } from './paths.js';

/** Operations on sockets. */
export class SqeSockets extends SqePaths {
  /** The length of the address that `#sockaddr` wrote last. */
  #sockaddrLength = 0;

  /** A sockaddr in scratch memory. */
  #sockaddr(address: SocketAddress): number {
    const at = this.scratch.alloc(SOCKADDR_MAX);
    this.#sockaddrLength = writeSockaddr(this.scratch.bytes, this.scratch.start, address);
    return at;
  }

  /**
   * Creates a socket; the result is its descriptor.
   * @param type SOCK_STREAM and similar, with SOCK_NONBLOCK; SOCK_CLOEXEC is added, see `inherit`.
   * io_uring_prep_socket(3), socket(2), 5.19
   */
  socket(domain: number, type: number, protocol = 0): this {
    return this.#socket(domain, checkU32('type', type) | SOCK_CLOEXEC, protocol);
  }

  #socket(domain: number, type: number, protocol: number): this {
    checkU32('domain', domain);
    checkU32('protocol', protocol);
    return this.prep(abi.OP_SOCKET, domain, 0, protocol, type);
  }

  /** Gives a socket its address. io_uring_prep_bind(3), bind(2), 6.11 */
  bind(fd: number, address: SocketAddress): this {
    checkFd(fd);
    const at = this.#sockaddr(address);
    return this.prep(abi.OP_BIND, fd, at, 0, this.#sockaddrLength);
  }

  /** Makes a socket accept connections. io_uring_prep_listen(3), listen(2), 6.11 */
  listen(fd: number, backlog: number): this {
    checkInt('backlog', backlog, 0, 0x7fffffff);
    return this.prep(abi.OP_LISTEN, checkFd(fd), 0, backlog, 0);
  }

  /**
   * Accepts one connection; the result is its descriptor.
   * @param flags SOCK_NONBLOCK; SOCK_CLOEXEC is added, see `inherit`.
   * @param peer receives the address of the peer. io_uring_prep_accept(3), accept4(2)
   */
  accept(fd: number, flags = 0, peer?: AddressBuffer): this {
    return this.#accept(fd, checkU32('flags', flags) | SOCK_CLOEXEC, peer);
  }

  #accept(fd: number, flags: number, peer: AddressBuffer | undefined): this {
    checkFd(fd);
    if (peer === undefined) return this.prep(abi.OP_ACCEPT, fd, 0, 0, 0).opFlags(flags);
    const sockaddr = this.#room('peer', peer);
    return this.prep(abi.OP_ACCEPT, fd, sockaddr, 0, this.bytes('peer', peer.length)).opFlags(flags);
  }

  /** The address of an `AddressBuffer`, which is empty from now on. */
  #room(name: string, into: AddressBuffer): number {
    if (!(into instanceof AddressBuffer)) throw argTypeError(name, 'an instance of AddressBuffer', into);
    into.reset();
    return this.bytes(name, into.sockaddr);
  }

  /**
   * Accepts connections until it fails or is cancelled; flags as for `accept`. io_uring_prep_multishot_accept(3), 5.19
   */
  multishotAccept(fd: number, flags = 0): this {
    return this.accept(fd, flags).ioprio(abi.ACCEPT_MULTISHOT);
  }

  /** Connects a socket. io_uring_prep_connect(3), connect(2) */
  connect(fd: number, address: SocketAddress): this {
    checkFd(fd);
    const at = this.#sockaddr(address);
    return this.prep(abi.OP_CONNECT, fd, at, 0, this.#sockaddrLength);
  }

  /**
   * Receives into `buffer`; the result is the number of bytes, 0 at the end of the stream.
   * @param buffer with `bufferSelect` null, or the maximum number of bytes. io_uring_prep_recv(3), recv(2)
   */
  recv(fd: number, buffer: InPlace, flags = 0): this {
    checkFd(fd);
    checkU32('flags', flags);
    const address = this.target('buffer', buffer);
    return this.prep(abi.OP_RECV, fd, address, this.dataLength, 0).opFlags(flags);
  }

  /**
   * Receives repeatedly into buffers of a group, until it fails, the stream ends or the group is empty. Each completion
   * names its buffer. io_uring_prep_recv_multishot(3), 6.0
   */
  recvMultishot(fd: number, group: number, flags = 0): this {
    checkU32('flags', flags);
    checkU16('group', group);
    return this.prep(abi.OP_RECV, checkFd(fd), 0, 0, 0)
      .opFlags(flags)
      .ioprio(abi.RECV_MULTISHOT)
      .bufferSelect(group);
  }

  /**
   * Sends `buffer`, or the UTF-8 of a string; the result is the number of bytes taken.
   * io_uring_prep_send(3), send(2)
   */
  send(fd: number, buffer: Data, flags = MSG_NOSIGNAL): this {
    checkFd(fd);
    checkU32('flags', flags);
    const address = this.data('buffer', buffer);
    return this.prep(abi.OP_SEND, fd, address, this.dataLength, 0).opFlags(flags);
  }

  /** Shuts down one or both directions. io_uring_prep_shutdown(3), shutdown(2), 5.11 */
  shutdown(fd: number, how: number): this {
    checkInt('how', how, SHUT_RD, SHUT_RDWR);
    return this.prep(abi.OP_SHUTDOWN, checkFd(fd), 0, how, 0);
  }

  /** Creates a socket as a registered file, or FILE_INDEX_ALLOC. io_uring_prep_socket_direct(3), 5.19 */
  socketDirect(domain: number, type: number, protocol: number, fileIndex: number): this {
    checkSlot('fileIndex', fileIndex);
    return this.#socket(domain, checkU32('type', type), protocol).directSlot(fileIndex);
  }

  /** Creates a socket as a registered file that the kernel chooses. io_uring_prep_socket_direct_alloc(3) */
  socketDirectAlloc(domain: number, type: number, protocol = 0): this {
    return this.socketDirect(domain, type, protocol, abi.FILE_INDEX_ALLOC);
  }

  /** Accepts one connection as a registered file. @param flags SOCK_NONBLOCK. io_uring_prep_accept_direct(3), 5.15 */
  acceptDirect(fd: number, flags: number, fileIndex: number, peer?: AddressBuffer): this {
    checkSlot('fileIndex', fileIndex);
    return this.#accept(fd, checkU32('flags', flags), peer).directSlot(fileIndex);
  }

  /** Accepts connections as registered files that the kernel chooses. io_uring_prep_multishot_accept_direct(3) */
  multishotAcceptDirect(fd: number, flags = 0): this {
    return this.acceptDirect(fd, flags, abi.FILE_INDEX_ALLOC).ioprio(abi.ACCEPT_MULTISHOT);
  }

  /** Sends `buffer` to an address. io_uring_prep_sendto(3), sendto(2), 6.0 */
  sendto(fd: number, buffer: Data, address: SocketAddress, flags = MSG_NOSIGNAL): this {
    const at = this.#sockaddr(address);
    return this.send(fd, buffer, flags).off(at).fileIndex(this.#sockaddrLength);
  }

  /** Sets the destination of the preceding `send` or `sendZc`. io_uring_prep_send_set_addr(3), 6.0 */
  sendSetAddr(address: SocketAddress): this {
    const at = this.#sockaddr(address);
    return this.off(at).fileIndex(this.#sockaddrLength);
  }

  /** Sends buffers of a group, as many as there are, one after the other. io_uring_prep_send_bundle(3), 6.10 */
  sendBundle(fd: number, group: number, length = 0, flags = MSG_NOSIGNAL): this {
    checkFd(fd);
    checkInt('length', length, 0, 0x7fffffff);
    checkU32('flags', flags);
    checkU16('group', group);
    return this.prep(abi.OP_SEND, fd, 0, length, 0)
      .opFlags(flags)
      .ioprio(abi.RECVSEND_BUNDLE)
      .bufferSelect(group);
  }

  /**
   * Sends without a copy. It completes twice: with CQE_F_MORE when the data has been sent off, and with CQE_F_NOTIF
   * when the kernel no longer uses `buffer`, which is kept until then.
   * @param zcFlags SEND_ZC_REPORT_USAGE. io_uring_prep_send_zc(3), 6.0
   */
  sendZc(fd: number, buffer: Data, flags = MSG_NOSIGNAL, zcFlags = 0): this {
    checkU16('zcFlags', zcFlags);
    return this.send(fd, buffer, flags).opcode(abi.OP_SEND_ZC).ioprio(zcFlags);
  }

  /** As `sendZc`, from a registered buffer. io_uring_prep_send_zc_fixed(3), 6.0 */
  sendZcFixed(fd: number, buffer: ArrayBufferView, flags: number, zcFlags: number, bufIndex: number): this {
    checkU16('bufIndex', bufIndex);
    checkU16('zcFlags', zcFlags);
    checkBytes('buffer', buffer);
    return this.sendZc(fd, buffer, flags, zcFlags | abi.RECVSEND_FIXED_BUF).bufIndex(bufIndex);
  }

  /** Receives into several buffers of a group at once (after `recvMultishot` or a `recv` that selects). 6.10 */
  bundle(): this {
    return this.addIoprio(abi.RECVSEND_BUNDLE);
  }

  /** Waits for readiness first instead of trying at once (after a send, receive or accept). 5.19 */
  pollFirst(): this {
    return this.addIoprio(this.isAccept ? abi.ACCEPT_POLL_FIRST : abi.RECVSEND_POLL_FIRST);
  }

  /** Fails instead of waiting if there is no connection (after an accept). 6.10 */
  dontWait(): this {
    return this.addIoprio(abi.ACCEPT_DONTWAIT);
  }

  /**
   * Returns how many bytes of a socket are readable (SOCKET_URING_OP_SIOCINQ) or unsent (SIOCOUTQ), as the result.
   * io_uring_prep_cmd_sock(3), 6.7
   */
  cmdSockQueue(cmdOp: number, fd: number): this {
    checkInt('cmdOp', cmdOp, abi.SOCKET_URING_OP_SIOCINQ, abi.SOCKET_URING_OP_SIOCOUTQ);
    return this.prep(abi.OP_URING_CMD, checkFd(fd), 0, 0, cmdOp);
  }

  /** Reads a socket option into `value`; the result is its length. io_uring_prep_cmd_sock(3), getsockopt(2), 6.7 */
  cmdGetsockopt(fd: number, level: number, name: number, value: ArrayBufferView): this {
    checkBytes('value', value);
    return this.#sockopt(abi.SOCKET_URING_OP_GETSOCKOPT, fd, level, name, value);
  }

  /** Sets a socket option. io_uring_prep_cmd_sock(3), setsockopt(2), 6.7 */
  cmdSetsockopt(fd: number, level: number, name: number, value: Data): this {
    return this.#sockopt(abi.SOCKET_URING_OP_SETSOCKOPT, fd, level, name, value);
  }

  #sockopt(cmdOp: number, fd: number, level: number, name: number, value: Data): this {
    checkInt('level', level, 0, 0x7fffffff);
    checkInt('name', name, 0, 0x7fffffff);
    const address = this.data('value', value);
    this.prep(abi.OP_URING_CMD, checkFd(fd), level, 0, cmdOp).fileIndex(this.dataLength).addr3(address);
    // addr holds level and optname, one word each.
    this.words[this.at + SQE.addr + 1] = name;
    return this;
  }

  /**
   * Reads a socket's own address, or with `peer` its peer's. `getsockname(fd)` needs no ring.
   * io_uring_prep_cmd_getsockname(3), getsockname(2), 7.0
   */
  cmdGetsockname(fd: number, into: AddressBuffer, peer = false): this {
    checkFd(fd);
    const sockaddr = this.#room('into', into);
    return this.prep(abi.OP_URING_CMD, fd, sockaddr, 0, abi.SOCKET_URING_OP_GETSOCKNAME)
      .fileIndex(peer ? 1 : 0)
      .addr3(this.bytes('into', into.length));
  }

  /**
   * Receives repeatedly without a copy, into the area of the zero-copy receive queue `zcrxId`. The ring needs CQE32 or
   * CQE_MIXED, and each completion's `bigCqe` locates the data. Register the queue with the kernel's own interface
   * (REGISTER_ZCRX_IFQ, struct ZCRX_IFQ_REG), on a network card that splits headers. OP_RECV_ZC, 6.15
   */
  recvZc(fd: number, zcrxId: number, length = 0): this {
    checkInt('length', length, 0, 0x7fffffff);
    checkU32('zcrxId', zcrxId);
    return this.prep(abi.OP_RECV_ZC, checkFd(fd), 0, length, 0).ioprio(abi.RECV_MULTISHOT).fileIndex(zcrxId);
  }

  /** Changes the interest list of an epoll instance. io_uring_prep_epoll_ctl(3), epoll_ctl(2), 5.6 */
  epollCtl(epollFd: number, op: number, fd: number, events = 0, data = 0): this {
    checkFd(epollFd);
    checkInt('op', op, 1, 3);
    checkU32('events', events);
    checkInt('data', data, 0, Number.MAX_SAFE_INTEGER);
    // struct epoll_event is packed on x64 only
    const dataAt = process.arch === 'x64' ? 4 : 8;
    const address = this.scratch.alloc(16);
    const { bytes, start } = this.scratch;
    bytes.writeInt32LE(events | 0, start);
    bytes.writeBigUInt64LE(BigInt(data), start + dataAt);
    return this.prep(abi.OP_EPOLL_CTL, epollFd, address, op, checkFd(fd));
  }

  /**
   * Waits for events of an epoll instance into `events`, an array of struct epoll_event (12 bytes each on
   * x64, 16 on arm64); the result is their number. io_uring_prep_epoll_wait(3), 6.15
   */
  epollWait(epollFd: number, events: ArrayBufferView, flags = 0): this {
    checkU32('flags', flags);
    const address = this.bytes('events', events);
    const size = process.arch === 'x64' ? 12 : 16;
    const max = Math.floor(events.byteLength / size);
    return this.prep(abi.OP_EPOLL_WAIT, checkFd(epollFd), address, max, 0).opFlags(flags);
  }
}
