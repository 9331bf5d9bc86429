import { promises as dns } from 'node:dns';
import { isIP } from 'node:net';
import { type InetAddress, inetAddress } from '../ring/sockaddr.js';

/**
 * The addresses of a host, in the system's order; a numeric one is its own only address. Names go
 * through getaddrinfo(3), as in `node:net`.
 */
export async function resolve(host: string, port: number): Promise<InetAddress[]> {
  if (isIP(host) !== 0) return [inetAddress(host, port)];
  const found = await dns.lookup(host, { all: true, verbatim: true });
  return found.map(({ address }) => inetAddress(address, port));
}
