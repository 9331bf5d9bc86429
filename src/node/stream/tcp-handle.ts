import type { Loop } from '../../loop/loop.js';
import { localAddress, remoteAddress } from '../../net/address/addresses.js';
import { EADDRINUSE, EBADF, EINVAL, ENOTCONN } from '../../sys/abi/errno.js';
import {
  IP_TOS,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_TCLASS,
  IPV6_V6ONLY,
  SO_KEEPALIVE,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOL_SOCKET,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_NODELAY,
} from '../../sys/abi/sockets.js';
import { libc } from '../../sys/libc/libc.js';
import { isIPv4, isIPv6 } from '../../sys/socket/ip.js';
import { AF_INET, AF_INET6 } from '../../sys/socket/sockaddr.js';
import { type AddressOut, inetName, putAddress } from '../inet-names.js';
import { intOption, setIntOption } from '../int-option.js';
import { bindings, type NativeClass, type Request } from '../natives.js';
import { SocketHandle } from './socket-handle.js';
import type { StreamHandle } from './stream-handle.js';

/** libuv's flags of `bind`. */
const IPV6_ONLY = 1;
const REUSE_PORT = 2;
/** libuv's other settings beside the delay: one second between probes, of which ten may be lost. */
const KEEP_ALIVE_INTERVAL = 1;
const KEEP_ALIVE_COUNT = 10;

/** Replaces Node's native `TCP`. */
export class TcpHandle extends SocketHandle {
  #family = 0;

  constructor(loop: Loop, listens = false, trigger?: number) {
    super(loop, listens ? 'TCPSERVERWRAP' : 'TCPWRAP', listens, trigger);
  }

  protected override get native(): { Native: NativeClass; kinds: Record<string, number> } {
    const { TCP, tcpConstants } = bindings();
    return { Native: TCP, kinds: tcpConstants };
  }

  protected override accepted(loop: Loop): StreamHandle {
    return new TcpHandle(loop, false, this.getAsyncId());
  }

  bind(address: string, port: number | undefined, flags = 0): number {
    return isIPv4(address) ? this.#bind(AF_INET, address, port ?? 0, flags) : EINVAL;
  }

  bind6(address: string, port: number | undefined, flags = 0): number {
    return isIPv6(address) ? this.#bind(AF_INET6, address, port ?? 0, flags) : EINVAL;
  }

  #bind(family: number, address: string, port: number, flags: number): number {
    const name = inetName(address, port);
    if (name === null) return EINVAL;
    let failed = this.openSocket(family);
    if (failed < 0) return failed;
    failed = this.#set(SOL_SOCKET, SO_REUSEADDR, 1);
    if (failed >= 0 && flags & REUSE_PORT) failed = this.#set(SOL_SOCKET, SO_REUSEPORT, 1);
    if (failed >= 0 && family === AF_INET6) {
      failed = this.#set(IPPROTO_IPV6, IPV6_V6ONLY, flags & IPV6_ONLY ? 1 : 0);
    }
    if (failed >= 0) failed = libc().bind(this.fd, name);
    if (failed === EADDRINUSE) {
      this.delayedError = failed;
      return 0;
    }
    return Math.min(failed, 0);
  }

  override listen(backlog: number): number {
    const failed = this.openSocket(AF_INET);
    return failed < 0 ? failed : super.listen(backlog);
  }

  connect(request: Request, address: string, port: number): number {
    return isIPv4(address) ? this.#connect(AF_INET, request, address, port) : EINVAL;
  }

  connect6(request: Request, address: string, port: number): number {
    return isIPv6(address) ? this.#connect(AF_INET6, request, address, port) : EINVAL;
  }

  #connect(family: number, request: Request, address: string, port: number): number {
    const name = inetName(address, port);
    if (name === null) return EINVAL;
    const failed = this.openSocket(family);
    return failed < 0 ? failed : this.connectTo(request, 'TCPCONNECTWRAP', name);
  }

  getsockname(out: AddressOut): number {
    if (this.delayedError !== 0) return this.delayedError;
    return this.fd < 0 ? EBADF : putAddress(out, localAddress(this.fd), EINVAL);
  }

  getpeername(out: AddressOut): number {
    return this.fd < 0 ? EBADF : putAddress(out, remoteAddress(this.fd), ENOTCONN);
  }

  setNoDelay(enable: boolean): number {
    return this.#set(IPPROTO_TCP, TCP_NODELAY, enable ? 1 : 0);
  }

  setKeepAlive(enable: boolean, delay: number, interval?: number, count?: number): number {
    if (this.fd < 0) return EBADF;
    const failed = this.#set(SOL_SOCKET, SO_KEEPALIVE, enable ? 1 : 0);
    if (failed < 0 || !enable || !(delay > 0)) return failed;
    return Math.min(
      this.#set(IPPROTO_TCP, TCP_KEEPIDLE, delay),
      this.#set(IPPROTO_TCP, TCP_KEEPINTVL, interval || KEEP_ALIVE_INTERVAL),
      this.#set(IPPROTO_TCP, TCP_KEEPCNT, count || KEEP_ALIVE_COUNT),
    );
  }

  setTypeOfService(value: number): number {
    if (this.fd < 0) return EBADF;
    return this.#isIPv6()
      ? this.#set(IPPROTO_IPV6, IPV6_TCLASS, value)
      : this.#set(IPPROTO_IP, IP_TOS, value);
  }

  getTypeOfService(): number {
    if (this.fd < 0) return EBADF;
    return this.#isIPv6()
      ? intOption(this.fd, IPPROTO_IPV6, IPV6_TCLASS)
      : intOption(this.fd, IPPROTO_IP, IP_TOS);
  }

  #isIPv6(): boolean {
    if (this.#family === 0) {
      const address = localAddress(this.fd);
      const isIPv6 = address !== undefined && 'family' in address && address.family === 'IPv6';
      this.#family = isIPv6 ? AF_INET6 : AF_INET;
    }
    return this.#family === AF_INET6;
  }

  #set(level: number, name: number, value: number): number {
    return setIntOption(this.fd, level, name, value);
  }
}
