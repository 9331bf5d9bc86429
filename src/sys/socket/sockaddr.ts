/** Socket addresses as the kernel lays them out: sockaddr_in, sockaddr_in6 and sockaddr_un. */

import { SOCKADDR_IN, SOCKADDR_IN6, SOCKADDR_UN } from '../abi/structs.js';
import { checkInt, checkObject } from '../check/check.js';
import { argTypeError, argValueError } from '../errors/errors.js';
import { interfaceIndex, interfaceName } from '../libc/interfaces.js';
import { isIPv4, isIPv6 } from './ip.js';

export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;

/** An IP address with a port, as in Node's `AddressInfo`. */
export interface InetAddress {
  /** Numeric, with a `%scope` (name or index of an interface) where IPv6 needs one. */
  address: string;
  /** The IP version. */
  family: 'IPv4' | 'IPv6';
  /** 0 to 65535 */
  port: number;
}

/** A Unix socket's path; a leading NUL makes it an abstract name, '' is an unnamed socket. */
export interface UnixAddress {
  /** A path in the file system, or an abstract name. unix(7) */
  path: string;
}

/** The address of a socket. */
export type SocketAddress = InetAddress | UnixAddress;

/** The largest sockaddr this package writes, in bytes. */
export const SOCKADDR_MAX = SOCKADDR_UN.size + 2;

/** The AF_ value of an address. */
export function familyOf(address: SocketAddress): number {
  if ('path' in address) return AF_UNIX;
  return address.family === 'IPv6' ? AF_INET6 : AF_INET;
}

/** Makes an `InetAddress` from a numeric host. */
export function inetAddress(address: string, port: number): InetAddress {
  checkHost(address);
  checkInt('port', port, 0, 65535);
  if (isIPv4(address)) return { address, family: 'IPv4', port };
  if (isIPv6(address)) return { address, family: 'IPv6', port };
  throw argValueError('address', 'must be a numeric IPv4 or IPv6 address', address);
}

function checkHost(address: string): void {
  if (typeof address !== 'string') throw argTypeError('address', 'of type string', address);
}

/**
 * Writes a sockaddr at `bytes[at]` and returns its length.
 * @throws TypeError for a malformed address, RangeError for a port or a path out of range.
 */
export function writeSockaddr(bytes: Buffer, at: number, address: SocketAddress): number {
  checkObject('address', address);
  if ('path' in address) return writeUnix(bytes, at, address.path);
  checkHost(address.address);
  const port = checkInt('port', address.port, 0, 65535);
  return isIPv4(address.address)
    ? writeInet(bytes, at, address.address, port)
    : writeInet6(bytes, at, address.address, port);
}

/** A sockaddr of exactly the length that the kernel should see. */
export function sockaddrOf(address: SocketAddress): Buffer {
  const bytes = Buffer.alloc(SOCKADDR_MAX);
  return bytes.subarray(0, writeSockaddr(bytes, 0, address));
}

function writeInet(bytes: Buffer, at: number, address: string, port: number): number {
  bytes.fill(0, at, at + SOCKADDR_IN.size);
  bytes.writeUInt16LE(AF_INET, at + SOCKADDR_IN.sin_family);
  bytes.writeUInt16BE(port, at + SOCKADDR_IN.sin_port);
  writeIPv4(bytes, at + SOCKADDR_IN.sin_addr, address);
  return SOCKADDR_IN.size;
}

function writeIPv4(bytes: Buffer, at: number, address: string): void {
  const parts = address.split('.');
  for (let i = 0; i < 4; i++) bytes[at + i] = Number(parts[i]);
}

function writeInet6(bytes: Buffer, at: number, address: string, port: number): number {
  if (!isIPv6(address)) throw argValueError('address', 'must be a numeric IPv4 or IPv6 address', address);
  const [numeric = '', scope] = address.split('%');
  bytes.fill(0, at, at + SOCKADDR_IN6.size);
  bytes.writeUInt16LE(AF_INET6, at + SOCKADDR_IN6.sin6_family);
  bytes.writeUInt16BE(port, at + SOCKADDR_IN6.sin6_port);
  writeIPv6(bytes, at + SOCKADDR_IN6.sin6_addr, numeric);
  if (scope !== undefined) bytes.writeUInt32LE(scopeId(scope), at + SOCKADDR_IN6.sin6_scope_id);
  return SOCKADDR_IN6.size;
}

function writeIPv6(bytes: Buffer, at: number, address: string): void {
  let text = address;
  const dot = text.indexOf('.');
  if (dot !== -1) {
    // The last 32 bits in IPv4 notation, as in ::ffff:127.0.0.1
    const colon = text.lastIndexOf(':');
    writeIPv4(bytes, at + 12, text.slice(colon + 1));
    const high = bytes.readUInt16BE(at + 12).toString(16);
    const low = bytes.readUInt16BE(at + 14).toString(16);
    text = `${text.slice(0, colon + 1)}${high}:${low}`;
  }
  const [head = '', tail] = text.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  for (let i = 0; i < before.length; i++) {
    bytes.writeUInt16BE(Number.parseInt(before[i]!, 16), at + i * 2);
  }
  for (let i = 0; i < after.length; i++) {
    bytes.writeUInt16BE(Number.parseInt(after[i]!, 16), at + (8 - after.length + i) * 2);
  }
}

function scopeId(scope: string): number {
  if (/^\d{1,9}$/.test(scope)) return Number(scope);
  const index = interfaceIndex(scope);
  if (index === 0) throw argValueError('address', 'must name an existing interface as its scope', scope);
  return index;
}

function writeUnix(bytes: Buffer, at: number, path: string): number {
  if (typeof path !== 'string') throw argTypeError('path', 'of type string', path);
  const abstract = path.startsWith('\0');
  if (!abstract && path.includes('\0')) {
    throw argValueError('path', 'must be a string without null bytes', path);
  }
  const length = Buffer.byteLength(path);
  const room = SOCKADDR_UN.size - SOCKADDR_UN.sun_path - (abstract ? 0 : 1);
  if (length > room) throw argValueError('path', `must be at most ${room} bytes long`, path);
  bytes.fill(0, at, at + SOCKADDR_UN.size);
  bytes.writeUInt16LE(AF_UNIX, at + SOCKADDR_UN.sun_family);
  bytes.write(path, at + SOCKADDR_UN.sun_path);
  if (length === 0) return SOCKADDR_UN.sun_path;
  // An abstract name is all the given bytes; a path ends with its NUL. unix(7)
  return SOCKADDR_UN.sun_path + length + (abstract ? 0 : 1);
}

/** Reads the sockaddr of `length` bytes at `bytes[at]`; null for an unsupported family. */
export function readSockaddr(bytes: Buffer, at: number, length: number): SocketAddress | null {
  if (length < 2) return { path: '' };
  switch (bytes.readUInt16LE(at)) {
    case AF_INET:
      return {
        address: readIPv4(bytes, at + SOCKADDR_IN.sin_addr),
        family: 'IPv4',
        port: bytes.readUInt16BE(at + SOCKADDR_IN.sin_port),
      };
    case AF_INET6:
      return readInet6(bytes, at);
    case AF_UNIX:
      return { path: readUnixPath(bytes, at + SOCKADDR_UN.sun_path, at + length) };
    default:
      return null;
  }
}

function readIPv4(bytes: Buffer, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

function readInet6(bytes: Buffer, at: number): InetAddress {
  const scope = bytes.readUInt32LE(at + SOCKADDR_IN6.sin6_scope_id);
  const address = readIPv6(bytes, at + SOCKADDR_IN6.sin6_addr);
  return {
    address: scope === 0 ? address : `${address}%${interfaceName(scope)}`,
    family: 'IPv6',
    port: bytes.readUInt16BE(at + SOCKADDR_IN6.sin6_port),
  };
}

/** The canonical text of RFC 5952, which shortens the longest run of zero groups. */
function readIPv6(bytes: Buffer, at: number): string {
  const groups: number[] = [];
  for (let i = 0; i < 8; i++) groups.push(bytes.readUInt16BE(at + i * 2));
  if (groups.slice(0, 5).every(group => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${readIPv4(bytes, at + 12)}`;
  }
  let best = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > bestLength) {
      best = i;
      bestLength = end - i;
    }
  }
  const hex = (part: number[]): string => part.map(group => group.toString(16)).join(':');
  if (best === -1) return hex(groups);
  return `${hex(groups.slice(0, best))}::${hex(groups.slice(best + bestLength))}`;
}

function readUnixPath(bytes: Buffer, start: number, end: number): string {
  if (start >= end) return '';
  if (bytes[start] === 0) return bytes.toString('utf8', start, end);
  let stop = start;
  while (stop < end && bytes[stop] !== 0) stop++;
  return bytes.toString('utf8', start, stop);
}
