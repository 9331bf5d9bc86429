/** The destination and the control messages of a datagram, from what callers give. */
import type { WaitOptions } from '../../loop/waiter.js';
import { checkInt } from '../../ring/check.js';
import { EDESTADDRREQ } from '../../ring/errno.js';
import { argTypeError, argValueError, systemError, UasyncError } from '../../ring/errors.js';
import { optionNames } from '../../ring/options.js';
import { AF_INET, AF_UNIX, type SocketAddress } from '../../ring/sockaddr.js';
import { resolve } from '../address/resolve.js';
import { toBytes, type WriteData } from '../stream/write-data.js';
import { checkPacketOptions, hasPacketOptions, type PacketOptions, writeControl } from './ancillary.js';
import type { Ready } from './batch.js';
import type { Destination } from './destination.js';
import { inetDestination, unixDestination } from './destination-cache.js';

/** How a datagram is sent. */
export interface SendOptions extends WaitOptions, PacketOptions {}

export const SEND_OPTIONS = optionNames<SendOptions>({
  segmentSize: true,
  tos: true,
  ecn: true,
  localAddress: true,
  interfaceIndex: true,
  signal: true,
  timeout: true,
});

/** A datagram for `sendMany`: one that was received will do. */
export interface OutgoingDatagram extends PacketOptions {
  /** Its bytes. */
  data: WriteData;
  /** Where it goes, unless the socket is connected; a path for a Unix socket. */
  address?: string | undefined;
  /** The port that goes with `address`. */
  port?: number | undefined;
  /** A Unix socket's path, as well. */
  path?: string | undefined;
}

/** Turns the addresses and options that callers give into destinations and control messages. */
export class DatagramAddressing {
  /** This end's address. */
  local: SocketAddress | undefined;
  /** The peer that the socket is connected to. */
  peer: Destination | null = null;
  /** Whether `connect` is under way: what is sent now goes to that peer already. */
  connecting = false;
  readonly #domain: number;
  readonly #ipv6Only: boolean;

  constructor(domain: number, local: SocketAddress | undefined, ipv6Only: boolean) {
    this.#domain = domain;
    this.#ipv6Only = ipv6Only;
    this.local = local;
  }

  /** Everything is checked before anything is sent; null if a name has to be looked up first. */
  prepare(list: readonly OutgoingDatagram[], options: SendOptions | undefined): Ready[] | null {
    const ready: Ready[] = new Array(list.length);
    for (let i = 0; i < list.length; i++) {
      const item = list[i]!;
      if (typeof item !== 'object' || item === null) throw argTypeError(`list[${i}]`, 'an object', item);
      const bytes = toBytes(item.data);
      const destination = this.destination(item.port, item.path ?? item.address);
      if (destination === undefined) return null;
      ready[i] = { bytes, destination, control: this.#controlOf(item, options, destination) };
    }
    return ready;
  }

  /** The same, with names looked up. */
  async prepareNames(list: readonly OutgoingDatagram[], options: SendOptions | undefined): Promise<Ready[]> {
    return Promise.all(
      list.map(async (item, i) => {
        if (typeof item !== 'object' || item === null) throw argTypeError(`list[${i}]`, 'an object', item);
        const bytes = toBytes(item.data);
        let destination = this.destination(item.port, item.path ?? item.address);
        if (destination === undefined) destination = await this.lookUp(item.address!, item.port!, options);
        return { bytes, destination, control: this.#controlOf(item, options, destination) };
      }),
    );
  }

  #controlOf(
    item: OutgoingDatagram,
    options: SendOptions | undefined,
    destination: Destination | null,
  ): Buffer | undefined {
    if (hasPacketOptions(item)) {
      checkPacketOptions(item);
      return this.control({ ...options, ...item }, destination);
    }
    return this.control(options, destination);
  }

  /** The control messages for a destination; undefined if there are none. */
  control(options: PacketOptions | undefined, destination: Destination | null): Buffer | undefined {
    if (options === undefined || !hasPacketOptions(options)) return undefined;
    if (this.#domain === AF_UNIX) throw argValueError('options', 'are not for Unix sockets', options);
    return writeControl(options, this.#domain === AF_INET || (destination ?? this.peer)?.isIPv4 === true);
  }

  /**
   * Where a datagram goes: null is the connected peer, undefined a name that needs a lookup.
   * @throws UasyncError EDESTADDRREQ without an address.
   */
  destination(port: number | undefined, address: string | undefined): Destination | null | undefined {
    if (this.#domain === AF_UNIX) {
      if (address !== undefined) return unixDestination(address);
    } else if (port !== undefined) {
      if (address === undefined) return inetDestination(this.#loopback(), checkInt('port', port, 0, 65535))!;
      if (typeof address !== 'string') throw argTypeError('address', 'of type string', address);
      return inetDestination(address, port) ?? undefined;
    } else if (address !== undefined) {
      throw argTypeError('port', 'of type number', port);
    }
    if (this.peer === null && !this.connecting) throw systemError(EDESTADDRREQ, 'send');
    return null;
  }

  /** This host, as the socket reaches it. */
  #loopback(): string {
    return this.#reachesIPv4() ? '127.0.0.1' : '::1';
  }

  /** Whether IPv4 can be sent to: an IPv6 socket with an IPv6 address of its own cannot. */
  #reachesIPv4(): boolean {
    if (this.#domain === AF_INET) return true;
    const { address = '::' } = (this.local ?? {}) as { address?: string };
    return !this.#ipv6Only && (address === '::' || address.startsWith('::ffff:'));
  }

  /** The first address of a name that this socket can reach. */
  async lookUp(name: string, port: number, options?: WaitOptions): Promise<Destination> {
    const addresses = await resolve(name, port, options);
    const only = this.#domain === AF_INET ? 'IPv4' : this.#reachesIPv4() ? undefined : 'IPv6';
    const found = addresses.find(({ family }) => only === undefined || family === only);
    if (found === undefined) throw new UasyncError('ENOTFOUND', `${name} has no ${only} address`);
    return inetDestination(found.address, port)!;
  }

  /** The address that `connect(port, host)` means. */
  async peerOf(to: number, host: string | undefined): Promise<Destination> {
    const port = checkInt('port', to, 1, 65535);
    if (host !== undefined && typeof host !== 'string') throw argTypeError('host', 'of type string', host);
    const address = host ?? this.#loopback();
    return inetDestination(address, port) ?? this.lookUp(address, port);
  }
}
