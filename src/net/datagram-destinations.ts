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

/** How many recent destinations are remembered; a power of two. */
const SLOTS = 1024;
const recent: (Destination | undefined)[] = new Array(SLOTS).fill(undefined);

function slotOf(address: string, port: number): number {
  const { length } = address;
  const end = address.charCodeAt(length - 1) ^ (address.charCodeAt(length - 2) << 4);
  return (
    (Math.imul(port ^ (end << 8) ^ (address.charCodeAt(length - 4) << 16), 0x9e3779b1) >>> 22) & (SLOTS - 1)
  );
}

/** The destination of an address that was sent to before, undefined for others. */
export function knownDestination(address: string, port: number): Destination | undefined {
  const known = recent[slotOf(address, port)];
  return known !== undefined && known.port === port && known.address === address ? known : undefined;
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
  recent[slotOf(address, port)] = destination;
  return destination;
}

/** The destination of a Unix socket's path, or abstract name. */
export function unixDestination(path: string): Destination {
  return new Destination(path, -1, { path });
}
