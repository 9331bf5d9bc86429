/** Reserves a port that several listeners share, before the first of them listens. */
import { closeSocket } from '../../loop/closing/close.js';
import { loop as currentLoop } from '../../loop/current.js';
import { IPPROTO_IPV6, IPV6_V6ONLY, SO_REUSEPORT, SOCK_STREAM, SOL_SOCKET } from '../../sys/abi/sockets.js';
import { systemError } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';
import { AF_INET6, familyOf, type InetAddress, sockaddrOf } from '../../sys/socket/sockaddr.js';
import { localAddress } from '../address/addresses.js';
import { onAnyAddress, resolve } from '../address/resolve.js';
import { openSocket } from './open-socket.js';
import { setOption } from './options.js';

/** A port that the system chose, reserved by a socket that does not listen. */
export interface ReservedPort {
  readonly port: number;
  /** Releases the port, once no listener needs it any more. */
  close(): Promise<void>;
}

/** Lets the kernel choose a TCP port for several listeners with `reusePort`, as `listen` with port 0 does for one. */
export async function reservePort(host: string | undefined, ipv6Only: boolean): Promise<ReservedPort> {
  if (host !== undefined) {
    const [address] = await resolve(host, 0);
    return reserve(address!, ipv6Only);
  }
  return onAnyAddress(0, 0, async address => reserve(address, ipv6Only));
}

function reserve(address: InetAddress, ipv6Only: boolean): ReservedPort {
  const sockaddr = sockaddrOf(address);
  const domain = familyOf(address);
  const loop = currentLoop();
  const fd = openSocket(SOCK_STREAM, 'listen', address);
  try {
    setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (domain === AF_INET6) setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, ipv6Only ? 1 : 0);
    const failed = libc().bind(fd, sockaddr);
    if (failed < 0) throw systemError(failed, 'listen', address);
    return { port: (localAddress(fd) as InetAddress).port, close: () => closeSocket(loop, fd) };
  } catch (error) {
    closeSocket(loop, fd).catch(() => {});
    throw error;
  }
}
