/** Ports for the tests that have to name one: none that was free a moment ago and may be another's by now. */
import dgram from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { localAddress } from '../src/net/address/addresses.js';
import { libc } from '../src/sys/libc/libc.js';
import {
  AF_INET,
  type InetAddress,
  inetAddress,
  SOCKADDR_MAX,
  writeSockaddr,
} from '../src/sys/socket/sockaddr.js';

const SOCK_STREAM = 1;

interface Ending {
  teardown(end: () => void): void;
}

/** A TCP socket bound to a port of 127.0.0.1, which is closed with the test. */
export function boundSocket(test: Ending): { fd: number; port: number } {
  const fd = libc().socket(AF_INET, SOCK_STREAM, 0);
  const sockaddr = Buffer.alloc(SOCKADDR_MAX);
  libc().bind(fd, sockaddr.subarray(0, writeSockaddr(sockaddr, 0, inetAddress('127.0.0.1', 0))));
  test.teardown(() => void libc().close(fd));
  return { fd, port: (localAddress(fd) as InetAddress).port };
}

/** A TCP port of 127.0.0.1 that refuses connections to the end of the test: it is taken, and nobody listens. */
export function refusingPort(test: Ending): number {
  return boundSocket(test).port;
}

/** The lowest port that the kernel chooses for sockets that name none. ip(7) */
const [LOWEST] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1').split('\t').map(Number);

/** Each process has ports of its own to try. */
let next = (LOWEST ?? 32768) - 1 - (process.pid % 1500) * 5;

/** A port that is free, and that the kernel gives to nobody who does not ask for it. */
export async function quietPort(host = '127.0.0.1', protocol: 'tcp' | 'udp' = 'tcp'): Promise<number> {
  for (;;) {
    const port = next--;
    try {
      if (protocol === 'udp') {
        const socket = dgram.createSocket(net.isIPv6(host) ? 'udp6' : 'udp4');
        socket.bind(port, host);
        await once(socket, 'listening');
        socket.close();
        await once(socket, 'close');
      } else {
        const server = net.createServer().listen(port, host);
        await once(server, 'listening');
        server.close();
        await once(server, 'close');
      }
      return port;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    }
  }
}
