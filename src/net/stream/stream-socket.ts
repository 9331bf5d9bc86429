import {
  IP_TOS,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_TCLASS,
  SO_LINGER,
  SO_RCVBUF,
  SO_SNDBUF,
  SOL_SOCKET,
  TCP_CORK,
  TCP_INFO,
  TCP_NODELAY,
} from '../../sys/abi/sockets.js';
import { checkInt } from '../../sys/check/check.js';
import { checkOptions } from '../../sys/check/options.js';
import { closedError } from '../../sys/errors/errors.js';
import type { SocketAddress } from '../../sys/socket/sockaddr.js';
import { localAddress } from '../address/addresses.js';
import { KEEP_ALIVE_OPTIONS, type KeepAlive, setKeepAlive } from '../socket/options.js';
import { SocketOptions } from '../socket/socket-options.js';
import { parseTcpInfo, TCP_INFO_BYTES, type TcpInfo } from '../socket/tcp-info.js';

/** Addresses and options of stream sockets. */
export abstract class Socket<Address extends SocketAddress = SocketAddress> extends SocketOptions {
  /** Whether it has been closed, or is closing. */
  abstract get closed(): boolean;

  #local: Address | undefined;
  #remote: Address | undefined;

  /** This end's address, getsockname(2); undefined if it was not read before the close. */
  get localAddress(): Address | undefined {
    if (this.#local === undefined && this.fd >= 0) this.#local = localAddress(this.fd) as Address | undefined;
    return this.#local;
  }

  /** The peer's address, getpeername(2); undefined if the peer disconnected before the connection was accepted. */
  get remoteAddress(): Address | undefined {
    this.#remote ??= this.peerAddress() as Address | undefined;
    return this.#remote;
  }

  /** @internal Sets the caller's name for this end, where the kernel has another. */
  setLocalAddress(address: Address): void {
    this.#local = address;
  }

  /** @internal Likewise for the peer. */
  setRemoteAddress(address: Address): void {
    this.#remote = address;
  }

  /** @internal The peer's address. */
  protected abstract peerAddress(): SocketAddress | undefined;

  /** @internal */
  protected checkOpen(): void {
    if (this.fd < 0 || this.closed) throw closedError('The connection');
  }

  /** Sends small writes at once rather than waiting for more, TCP_NODELAY. On by default. tcp(7) */
  setNoDelay(enable = true): this {
    return this.set(IPPROTO_TCP, TCP_NODELAY, enable ? 1 : 0);
  }

  /** Sends only full segments, until `uncork()` or for 200 ms. TCP_CORK, tcp(7) */
  cork(): this {
    return this.set(IPPROTO_TCP, TCP_CORK, 1);
  }

  /** Sends data that `cork()` held back. */
  uncork(): this {
    return this.set(IPPROTO_TCP, TCP_CORK, 0);
  }

  /** Probes a silent peer, SO_KEEPALIVE; times are in seconds. */
  setKeepAlive(enable = true, options: KeepAlive = {}): this {
    this.checkOpen();
    checkOptions(options, KEEP_ALIVE_OPTIONS);
    if (options.idle !== undefined) checkInt('options.idle', options.idle, 1, 32767);
    if (options.interval !== undefined) checkInt('options.interval', options.interval, 1, 32767);
    if (options.count !== undefined) checkInt('options.count', options.count, 1, 127);
    setKeepAlive(this.fd, enable, options);
    return this;
  }

  /**
   * How long the kernel continues to send after a close, in seconds: 0 drops unsent data and resets the connection;
   * null is the kernel's default, as long as it takes. A kernel worker thread waits for it, not the event loop. It also
   * limits how long `close()` drops the peer's data. SO_LINGER, socket(7)
   */
  setLinger(seconds: number | null): this {
    if (seconds !== null) checkInt('seconds', seconds, 0, 65535);
    const linger = Buffer.alloc(8);
    linger.writeInt32LE(seconds === null ? 0 : 1, 0);
    linger.writeInt32LE(seconds ?? 0, 4);
    this.set(SOL_SOCKET, SO_LINGER, linger);
    this.lingerChanged(seconds);
    return this;
  }

  /** @internal */
  protected abstract lingerChanged(seconds: number | null): void;

  /** The size of the kernel's receive buffer in bytes, including its own overhead. SO_RCVBUF, socket(7) */
  get recvBufferSize(): number {
    return this.getInt(SOL_SOCKET, SO_RCVBUF);
  }

  /** The kernel doubles the value, and limits it to net.core.rmem_max. */
  setRecvBufferSize(bytes: number): this {
    return this.set(SOL_SOCKET, SO_RCVBUF, checkInt('bytes', bytes, 1, 0x7fffffff));
  }

  /** The size of the kernel's send buffer in bytes, including its own overhead. SO_SNDBUF, socket(7) */
  get sendBufferSize(): number {
    return this.getInt(SOL_SOCKET, SO_SNDBUF);
  }

  /** The kernel doubles the value, and limits it to net.core.wmem_max. */
  setSendBufferSize(bytes: number): this {
    return this.set(SOL_SOCKET, SO_SNDBUF, checkInt('bytes', bytes, 1, 0x7fffffff));
  }

  /** The type of service of sent data, 0 to 255: IP_TOS, or IPv6's traffic class. ip(7), ipv6(7) */
  setTypeOfService(value: number): this {
    checkInt('value', value, 0, 255);
    const address = this.localAddress;
    if (address !== undefined && 'family' in address && address.family === 'IPv6') {
      this.set(IPPROTO_IPV6, IPV6_TCLASS, value);
    }
    // Also for IPv4 connections of an IPv6 socket.
    return this.set(IPPROTO_IP, IP_TOS, value);
  }

  /** The kernel's information about a TCP connection: round-trip time, retransmissions, windows. TCP_INFO, tcp(7) */
  info(): TcpInfo {
    return parseTcpInfo(this.getOption(IPPROTO_TCP, TCP_INFO, TCP_INFO_BYTES));
  }
}
