/** Resolves the host and port of options to numeric addresses. */
import type { LookupAddress, LookupOneOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { unlessGivenUp, type WaitOptions } from '../../loop/waiting/waiter.js';
import { checkFunction, checkInt } from '../../sys/check/check.js';
import { argTypeError, argValueError, UasyncError, withCode } from '../../sys/errors/errors.js';
import { isIP } from '../../sys/socket/ip.js';
import { type InetAddress, inetAddress } from '../../sys/socket/sockaddr.js';

/** The IP version; 0 means either. */
export type IPFamily = 'IPv4' | 'IPv6' | 4 | 6 | 0;

/** Options of a name lookup. */
interface ResolveOptions extends WaitOptions {
  /** Only addresses of this family. */
  family?: IPFamily | undefined;
  /** Flags of getaddrinfo(3), such as `dns.ADDRCONFIG`. */
  hints?: number | undefined;
  /** Used instead of `dns.lookup`. */
  lookup?: LookupFunction | undefined;
}

const VERSIONS = new Map<unknown, 0 | 4 | 6>([
  [undefined, 0],
  [0, 0],
  [4, 4],
  [6, 6],
  ['IPv4', 4],
  ['IPv6', 6],
]);

/** The IP version of a family, 0 for any. */
export function versionOf(family: IPFamily | undefined): 0 | 4 | 6 {
  const version = VERSIONS.get(family);
  if (version === undefined) {
    throw argValueError('options.family', "must be 'IPv4', 'IPv6', 4, 6 or 0", family);
  }
  return version;
}

/** The address of all interfaces for a family; undefined for either. */
export function anyAddress(family: IPFamily | undefined): string | undefined {
  const version = versionOf(family);
  return version === 0 ? undefined : version === 4 ? '0.0.0.0' : '::';
}

/**
 * Opens a socket on the address of all interfaces: the IPv6 one, which accepts IPv4 too, or the IPv4 one if the machine
 * has no IPv6.
 * @param version the IP version that the caller requires; 0 for either.
 */
export async function onAnyAddress<T>(
  version: 0 | 4 | 6,
  port: number,
  open: (address: InetAddress) => Promise<T>,
): Promise<T> {
  if (version !== 4) {
    try {
      return await open({ address: '::', family: 'IPv6', port });
    } catch (error) {
      const { code } = error as UasyncError;
      if (version === 6 || (code !== 'EAFNOSUPPORT' && code !== 'EADDRNOTAVAIL')) throw error;
    }
  }
  return open({ address: '0.0.0.0', family: 'IPv4', port });
}

/** Checks the options of a name lookup. */
export function checkResolve({ family, hints, lookup }: ResolveOptions): void {
  versionOf(family);
  // Node checks the flags.
  if (hints !== undefined) checkInt('options.hints', hints, 0, 0x7fffffff);
  if (lookup !== undefined) checkFunction('options.lookup', lookup);
}

/**
 * The host in options: `host`, or the `address` of a socket's address.
 * @throws TypeError if it is not a string, or if the two differ.
 */
export function hostOf(options: {
  host?: string | undefined;
  address?: string | undefined;
}): string | undefined {
  const { host, address } = options;
  if (host !== undefined && typeof host !== 'string') {
    throw argTypeError('options.host', 'of type string', host);
  }
  if (address !== undefined && typeof address !== 'string') {
    throw argTypeError('options.address', 'of type string', address);
  }
  if (host !== undefined && address !== undefined && host !== address) {
    throw argValueError('options.address', "must be the same as 'host' if both are given", address);
  }
  return host ?? address;
}

/**
 * The addresses of a host, in the system's order. A numeric host is its own only address. Names are resolved with
 * getaddrinfo(3), as in `node:net`.
 * @param options lookup options, with a signal and a timeout.
 */
export async function resolve(
  host: string,
  port: number,
  options: ResolveOptions = {},
): Promise<InetAddress[]> {
  const family = versionOf(options.family);
  const version = isIP(host);
  if (version !== 0) {
    if (family !== 0 && family !== version) {
      throw argValueError('options.family', `must be that of ${host}`, options.family);
    }
    return [inetAddress(host, port)];
  }
  if (host === '') throw argValueError('host', 'must not be empty', host);
  const { hints = 0, lookup } = options;
  const looking =
    lookup === undefined
      ? process
          .getBuiltinModule('node:dns')
          .promises.lookup(host, { all: true, verbatim: true, family, hints })
      : lookUpBy(lookup, host, { family, hints });
  const found = await unlessGivenUp(looking, 'getaddrinfo', options);
  return found.map(({ address }) => inetAddress(address, port));
}

/** Calls a function with the signature of `dns.lookup`, whether or not it supports `all`. */
function lookUpBy(
  lookup: LookupFunction,
  host: string,
  { family, hints }: LookupOneOptions,
): Promise<LookupAddress[]> {
  return new Promise((resolve, reject) => {
    lookup(host, { all: true, family, hints }, (error, address, version) => {
      if (error) {
        reject(error);
        return;
      }
      const found = Array.isArray(address) ? address : [{ address, family: version! }];
      const wrong = found.find(({ address }) => isIP(address) === 0);
      if (wrong !== undefined) {
        reject(withCode(new TypeError(`Invalid IP address: ${wrong.address}`), 'ERR_INVALID_IP_ADDRESS'));
      }
      const usable = found.filter(({ address }) => !family || isIP(address) === family);
      if (usable.length !== 0) resolve(usable);
      else reject(new UasyncError('ENOTFOUND', `${host} has no address of the requested family`));
    });
  });
}
