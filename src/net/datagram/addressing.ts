/** Converts the addresses and options of callers to the destination and the control messages of a datagram. */
import type { WaitOptions } from '../../loop/waiting/waiter.js';
import { EDESTADDRREQ } from '../../sys/abi/errno.js';
import { checkInt } from '../../sys/check/check.js';
import { optionNames } from '../../sys/check/options.js';
import { argTypeError, argValueError, systemError, UasyncError } from '../../sys/errors/errors.js';
import { AF_INET, AF_UNIX, type SocketAddress } from '../../sys/socket/sockaddr.js';
import { resolve } from '../address/resolve.js';
import { toBytes, type WriteData } from '../stream/write-data.js';
import { checkPacketOptions, hasPacketOptions, type PacketOptions, writeControl } from './ancillary.js';
import type { Ready } from './batch.js';
import type { Destination } from './destination.js';
import { inetDestination, unixDestination } from './destination-cache.js';

/** Options for sending a datagram. */
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

/** A datagram for `sendMany`. A received datagram is also valid. */
export interface OutgoingDatagram extends PacketOptions {
  /** Its bytes. */
  data: WriteData;
  /** The destination, unless the socket is connected; a path for a Unix socket. */
  address?: string | undefined;
  /** The destination's port. */
  port?: number | undefined;
  /** Alternatively, a Unix socket's path. */
  path?: string | undefined;
}

/** Turns the addresses and options that callers give into destinations and control messages. */
export class DatagramAddressing {
  /** This end's address. */
  local: SocketAddress | undefined;
  /** The peer that the socket is connected to. */
  peer: Destination | null = null;
  /** Whether `connect` is in progress: datagrams that are sent now already go to that peer. */
  connecting = false;
  readonly #domain: number;
  readonly #ipv6Only: boolean;

  constructor(domain: number, local: SocketAddress | undefined, ipv6Only: boolean) {
    this.#domain = domain;
    this.#ipv6Only = ipv6Only;
    this.local = local;
  }

  /** Checks everything before anything is sent; null if a name must be looked up first. */
  prepare(list: readonly OutgoingDatagram[], options: SendOptions | undefined): Ready[] | null {
    const ready: Ready[] = new Array(list.length);
    for (let i = 0; i < list.length; i++) {
      const item = list[i]!;
      if (typeof item !== 'object' || item === null) throw argTypeError(`list[${i}]`, 'an object', item);
      const bytes = toBytes(item.data);
      const destination = this.destination(item.port, this.#addressIn(item, i));
      if (destination === undefined) return null;
      ready[i] = { bytes, destination, control: this.#controlOf(item, options, destination) };
    }
    return ready;
  }

  /** The same, including name lookups. */
  async prepareNames(list: readonly OutgoingDatagram[], options: SendOptions | undefined): Promise<Ready[]> {
    return Promise.all(
      list.map(async (item, i) => {
        if (typeof item !== 'object' || item === null) throw argTypeError(`list[${i}]`, 'an object', item);
        const bytes = toBytes(item.data);
        let destination = this.destination(item.port, this.#addressIn(item, i));
        if (destination === undefined) destination = await this.lookUp(item.address!, item.port!, options);
        return { bytes, destination, control: this.#controlOf(item, options, destination) };
      }),
    );
  }

  #addressIn({ path, address }: OutgoingDatagram, i: number): string | undefined {
    if (path === undefined) return address;
    if (this.#domain !== AF_UNIX) throw argValueError(`list[${i}].path`, 'is for Unix sockets', path);
    return path;
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
   * The destination of a datagram: null is the connected peer, undefined a name that needs a lookup.
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

  /** The address of this host, as the socket can reach it. */
  #loopback(): string {
    return this.#reachesIPv4() ? '127.0.0.1' : '::1';
  }

  /** Whether the socket can send to IPv4: an IPv6 socket bound to an IPv6 address cannot. */
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
