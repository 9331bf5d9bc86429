import { promises as dns } from 'node:dns';
import { isIP } from 'node:net';
import { unlessGivenUp, type WaitOptions } from '../loop/waiter.js';
import { argValueError } from '../ring/errors.js';
import { type InetAddress, inetAddress } from '../ring/sockaddr.js';

/**
 * The addresses of a host, in the system's order; a numeric one is its own only address. Names go
 * through getaddrinfo(3), as in `node:net`.
 * @param options when to wait for it no longer.
 */
export async function resolve(host: string, port: number, options?: WaitOptions): Promise<InetAddress[]> {
  if (isIP(host) !== 0) return [inetAddress(host, port)];
  if (host === '') throw argValueError('host', 'must not be empty', host);
  const looking = dns.lookup(host, { all: true, verbatim: true });
  const found = await unlessGivenUp(looking, 'getaddrinfo', options);
  return found.map(({ address }) => inetAddress(address, port));
}
