/** Caches destinations in the kernel's form, to avoid encoding an address for each datagram. */
import { checkInt } from '../../sys/check/check.js';
import { isIP } from '../../sys/socket/ip.js';
import type { SocketAddress, UnixAddress } from '../../sys/socket/sockaddr.js';
import { Destination } from './destination.js';

/**
 * Recent destinations are kept in this many sets, a power of two, of a few each. With one per set, a fifth of 250 peers
 * would constantly evict each other.
 */
const SETS = 1024;
const WAYS = 4;
const recent: (Destination | undefined)[] = new Array(SETS * WAYS).fill(undefined);

/** The start of an address's set. */
function setOf(address: string, port: number): number {
  const { length } = address;
  const end = address.charCodeAt(length - 1) ^ (address.charCodeAt(length - 2) << 4);
  const hash = Math.imul(port ^ (end << 8) ^ (address.charCodeAt(length - 4) << 16), 0x9e3779b1);
  return ((hash >>> 22) & (SETS - 1)) * WAYS;
}

/** The cached destination of an address, undefined for others. */
export function knownDestination(address: string, port: number): Destination | undefined {
  const set = setOf(address, port);
  for (let at = set; at < set + WAYS; at++) {
    const known = recent[at];
    if (known === undefined) return undefined;
    if (known.port === port && known.address === address) return known;
  }
  return undefined;
}

/** Replaces the oldest destination of its set. */
function remember(destination: Destination): void {
  const set = setOf(destination.address, destination.port);
  recent.copyWithin(set + 1, set, set + WAYS - 1);
  recent[set] = destination;
}

/**
 * The destination of a numeric address, or null if it is a name.
 * @throws TypeError or RangeError for a wrong port.
 */
export function inetDestination(address: string, port: number): Destination | null {
  const known = knownDestination(address, port);
  if (known !== undefined) return known;
  checkInt('port', port, 0, 65535);
  const version = isIP(address);
  if (version === 0) return null;
  const family = version === 6 ? 'IPv6' : 'IPv4';
  const destination = new Destination(address, port, { address, port, family });
  remember(destination);
  return destination;
}

/**
 * The destination of a Unix socket's path, or abstract name.
 * @param address the path for the kernel.
 */
export function unixDestination(path: string, address: UnixAddress = { path }): Destination {
  return new Destination(path, -1, address);
}

/** The destination of an address from the kernel. */
export function destinationOf(address: SocketAddress): Destination {
  return 'path' in address ? unixDestination(address.path) : inetDestination(address.address, address.port)!;
}
