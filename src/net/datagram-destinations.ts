/** Receivers of datagrams: their addresses as the kernel wants them, without encoding one for each datagram. */
import { isIP } from 'node:net';
import { checkInt } from '../ring/check.js';
import { SOCKADDR_MAX, type SocketAddress, writeSockaddr } from '../ring/sockaddr.js';
import type { DatagramTrain } from './datagram-trains.js';

/** Whom to send to. */
export class Destination {
  /** As the caller gave it. */
  readonly address: string;
  /** -1 for a Unix socket. */
  readonly port: number;
  /** The sockaddr. */
  readonly bytes: Uint8Array;

  /** The sender that it has taken datagrams of, and the longest of them. */
  #sender = 0;
  #longest = 0;
  /** @internal Datagrams for it that leave together in the next turn. */
  train: DatagramTrain | null = null;
  /** @internal How many those are likely to be. */
  trainSize = 1;

  constructor(address: string, port: number, socketAddress: SocketAddress) {
    const bytes = Buffer.alloc(SOCKADDR_MAX);
    this.address = address;
    this.port = port;
    this.bytes = new Uint8Array(bytes.subarray(0, writeSockaddr(bytes, 0, socketAddress)));
  }

  /** It took a datagram of a sender: one that is no longer is not refused for what the caller did. */
  proven(sender: number, length: number): void {
    if (this.#sender !== sender) {
      this.#sender = sender;
      this.#longest = length;
    } else if (length > this.#longest) {
      this.#longest = length;
    }
  }

  isProven(sender: number, length: number): boolean {
    return this.#sender === sender && length <= this.#longest;
  }

  /** It refused one after all. */
  doubt(): void {
    this.#sender = 0;
  }

  /** For errors. */
  get details(): { address: string; port: number } | { path: string } {
    return this.port < 0 ? { path: this.address } : { address: this.address, port: this.port };
  }

  /** Whether it is reached by IPv4, also from an IPv6 socket. */
  get isIPv4(): boolean {
    return isIP(this.address) === 4 || this.address.startsWith('::ffff:');
  }
}

/**
 * Recent destinations are remembered in this many sets, a power of two, of a few each: with one each,
 * a fifth of 250 peers would push each other out all the time.
 */
const SETS = 1024;
const WAYS = 4;
const recent: (Destination | undefined)[] = new Array(SETS * WAYS).fill(undefined);

/** Where the set of an address begins. */
function setOf(address: string, port: number): number {
  const { length } = address;
  const end = address.charCodeAt(length - 1) ^ (address.charCodeAt(length - 2) << 4);
  const hash = Math.imul(port ^ (end << 8) ^ (address.charCodeAt(length - 4) << 16), 0x9e3779b1);
  return ((hash >>> 22) & (SETS - 1)) * WAYS;
}

/** The destination of an address that was sent to before, undefined for others. */
export function knownDestination(address: string, port: number): Destination | undefined {
  const set = setOf(address, port);
  for (let at = set; at < set + WAYS; at++) {
    const known = recent[at];
    if (known === undefined) return undefined;
    if (known.port === port && known.address === address) return known;
  }
  return undefined;
}

/** The one that was remembered first in its set makes room. */
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

/** The destination of a Unix socket's path, or abstract name. */
export function unixDestination(path: string): Destination {
  return new Destination(path, -1, { path });
}
