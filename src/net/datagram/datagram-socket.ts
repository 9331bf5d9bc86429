/** `DatagramSocket`: the public API of a UDP or Unix datagram socket. */
import type { InspectOptionsStylized } from 'node:util';
import { isUint8Array } from 'node:util/types';
import type { Loop } from '../../loop/loop.js';
import { throwIfAborted } from '../../loop/waiting/abort.js';
import { checkWait, type WaitOptions } from '../../loop/waiting/waiter.js';
import { checkInt } from '../../sys/check/check.js';
import { type OptionNames, optionNames } from '../../sys/check/options.js';
import { argTypeError } from '../../sys/errors/errors.js';
import { counted, custom, shown } from '../../sys/inspect.js';
import { bytesIn } from '../../sys/memory/views.js';
import { AF_UNIX, type SocketAddress } from '../../sys/socket/sockaddr.js';
import { givenPath, localAddress, placeOf } from '../address/addresses.js';
import { bound } from '../socket/diagnostics.js';
import { closeWhenForgotten } from '../socket/forgotten.js';
import { toBytes, type WriteData } from '../stream/write-data.js';
import { DatagramAddressing, type OutgoingDatagram, SEND_OPTIONS, type SendOptions } from './addressing.js';
import { checkPacketOptions } from './ancillary.js';
import { Batch } from './batch.js';
import { ConnectedPeer } from './connected-peer.js';
import { DatagramIterator } from './datagram-iterator.js';
import type { Destination } from './destination.js';
import { knownDestination } from './destination-cache.js';
import { DatagramEndpoint, type SocketSetup } from './endpoint.js';
import type { Datagram, DatagramReceiver } from './receiver.js';
import { sendLimit } from './send-limit.js';
import type { DatagramSender } from './sender.js';
import { DatagramSettings } from './settings.js';

/** Options of `recvMany`. */
export interface ReceiveManyOptions extends WaitOptions {
  /** The maximum number; default: all that have arrived. */
  max?: number | undefined;
}

const RECEIVE_MANY_OPTIONS = optionNames<ReceiveManyOptions>({ max: true, signal: true, timeout: true });

/** All available datagrams. */
const ALL = 0x7fffffff;

/**
 * A datagram socket, UDP or Unix. Sending and receiving are awaited; iterating over it yields what arrives.
 */
export class DatagramSocket<Address extends SocketAddress = SocketAddress>
  extends DatagramSettings
  implements AsyncIterable<Datagram>
{
  readonly #endpoint: DatagramEndpoint;
  /** @internal */
  protected readonly domain: number;
  readonly #receiver: DatagramReceiver;
  readonly #sender: DatagramSender;
  readonly #addressing: DatagramAddressing;
  readonly #peer: ConnectedPeer;

  /** @internal Takes ownership of a socket; use `bind`. */
  constructor(loop: Loop, fd: number, setup: SocketSetup) {
    super();
    this.domain = setup.domain;
    this.#endpoint = new DatagramEndpoint(loop, fd, setup);
    this.#receiver = this.#endpoint.receiver;
    this.#sender = this.#endpoint.sender;
    const local = givenPath(setup.path) ?? localAddress(fd);
    this.#addressing = new DatagramAddressing(setup.domain, local, setup.ipv6Only);
    this.#peer = new ConnectedPeer(this, this.#endpoint, this.#addressing, setup);
    closeWhenForgotten(this, this.#endpoint);
    bound(this);
  }

  /** @internal The socket without its public object: a reference to it does not keep this object alive. */
  get remains(): DatagramEndpoint {
    return this.#endpoint;
  }

  /** @internal */
  [custom](depth: number, options: InspectOptionsStylized): string {
    return shown(
      this,
      depth,
      options,
      this.fd < 0 ? 'closed' : this.closed ? 'closing' : 'open',
      placeOf(this.address) + (this.remoteAddress === undefined ? '' : ` -> ${placeOf(this.remoteAddress)}`),
      [
        counted(this.queued, 'datagram queued', 'datagrams queued'),
        counted(this.dropped, 'dropped', 'dropped'),
        counted(this.#sender.unsent, 'datagram to send', 'datagrams to send'),
        counted(this.#receiver.waiting, 'receive waiting', 'receives waiting'),
        !this.#receiver.referenced && 'unref',
      ],
    );
  }

  /** The socket's descriptor, -1 once closed. */
  get fd(): number {
    return this.#endpoint.fd;
  }

  /** Whether `close()` has been called. */
  get closed(): boolean {
    return this.#endpoint.closed;
  }

  /** This end's address: with port 0 the port that the system chose. getsockname(2) */
  get address(): Address {
    const local = this.#addressing.local!;
    // An unbound socket has none until it sends.
    if ('port' in local && local.port === 0 && this.fd >= 0) {
      this.#addressing.local = localAddress(this.fd) ?? local;
    }
    return this.#addressing.local as Address;
  }

  /** The peer's address if the socket is connected. */
  get remoteAddress(): SocketAddress | undefined {
    return this.#peer.address;
  }

  /**
   * Datagrams that arrived and were lost for lack of room: in the kernel's buffer (as SO_RXQ_OVFL counts them), or
   * because of `queueLimit`.
   */
  get dropped(): number {
    return this.#endpoint.dropped;
  }

  /** How many received datagrams may queue; further ones are dropped and counted. */
  get queueLimit(): number {
    return this.#receiver.queueLimit;
  }

  set queueLimit(limit: number) {
    this.#receiver.queueLimit = checkInt('queueLimit', limit, 1, 0x7fffffff);
  }

  /** The number of queued datagrams. */
  get queued(): number {
    return this.#receiver.queued;
  }

  // --- Receiving ----------------------------------------------------------------------------------

  /**
   * The next datagram. Concurrent calls are served in order.
   * @throws (as a rejection) ECONNREFUSED on a connected socket without a listening peer, after which the socket still
   * works; ERR_CLOSED, AbortError, ETIMEDOUT.
   */
  recv(options?: WaitOptions): Promise<Datagram> {
    if (options === undefined) return this.#receiver.one(this, undefined);
    return this.#limited(options, undefined, () => this.#receiver.one(this, options));
  }

  async #limited<T>(
    options: WaitOptions,
    known: OptionNames | undefined,
    receive: () => Promise<T>,
  ): Promise<T> {
    checkWait(options, known);
    return receive();
  }

  /**
   * All datagrams that have arrived, at least one.
   * @throws (as a rejection) as `recv`.
   */
  recvMany(options?: ReceiveManyOptions): Promise<Datagram[]> {
    if (options === undefined) return this.#receiver.many(this, ALL, undefined);
    return this.#limited(options, RECEIVE_MANY_OPTIONS, () => {
      const max = checkInt('options.max', options.max ?? ALL, 1, ALL);
      return this.#receiver.many(this, max, options);
    });
  }

  /**
   * Yields datagrams until the socket is closed; leaving the loop closes it. An error is thrown, and leaves it open.
   */
  [Symbol.asyncIterator](): AsyncIterator<Datagram, undefined> {
    return new DatagramIterator(this, this.#receiver);
  }

  // --- Sending ------------------------------------------------------------------------------------

  /**
   * Sends one datagram; resolves to its length in bytes when the kernel has taken it. If its destination has taken a
   * datagram of at least this length before, it resolves as soon as the bytes are copied: the datagram is sent in the
   * same turn, and if the kernel refuses it nevertheless, the next call on the socket rejects.
   *
   * `send(data)` sends to the peer of a connected socket, `send(data, port, address)` elsewhere, and `send(data, path)`
   * to a Unix socket. A name is looked up; the default address is this host. The buffer must not change until the call
   * has resolved.
   * @throws (as a rejection) EMSGSIZE, EACCES, ENETUNREACH and similar with `address` and `port` or `path`;
   * ECONNREFUSED for an earlier datagram on a connected socket; ERR_CLOSED, AbortError, ETIMEDOUT; TypeError and
   * RangeError for wrong arguments.
   */
  send(data: WriteData, options?: SendOptions): Promise<number>;
  send(data: WriteData, path: string, options?: SendOptions): Promise<number>;
  send(data: WriteData, port: number, address?: string, options?: SendOptions): Promise<number>;
  send(
    data: WriteData,
    to?: number | string | SendOptions,
    address?: string | SendOptions,
    options?: SendOptions,
  ): Promise<number> {
    // Avoids the promises of an async function for the most common calls.
    if (
      isUint8Array(data) &&
      data.length !== 0 &&
      typeof to === 'number' &&
      typeof address === 'string' &&
      options === undefined &&
      this.#plain()
    ) {
      const destination = knownDestination(address, to);
      if (destination !== undefined) return this.#sender.sendPlain(data, destination);
    }
    return this.#send(data, to, address, options);
  }

  /** Whether a datagram to an IP address can be sent directly. */
  #plain(): boolean {
    return this.domain !== AF_UNIX && !this.closed && !this.#receiver.failed;
  }

  async #send(
    data: WriteData,
    to?: number | string | SendOptions,
    address?: string | SendOptions,
    options?: SendOptions,
  ): Promise<number> {
    const bytes = toBytes(data);
    // `await` keeps this object from being collected, and so closed, while the call waits.
    if (typeof to === 'number' && (address === undefined || typeof address === 'string')) {
      return await this.#sendTo(bytes, to, address, options);
    }
    if (typeof to === 'string') {
      return await this.#sendTo(bytes, undefined, to, address as SendOptions | undefined);
    }
    if (to === undefined || (typeof to === 'object' && to !== null)) {
      return await this.#sendTo(bytes, undefined, undefined, to);
    }
    if (typeof to === 'number') throw argTypeError('address', 'of type string', address);
    throw argTypeError('port', 'of type number', to);
  }

  #sendTo(
    bytes: Uint8Array,
    port: number | undefined,
    address: string | undefined,
    options: SendOptions | undefined,
  ): Promise<number> | number {
    this.checkOpen();
    if (options !== undefined) checkSendOptions(options);
    const error = this.#receiver.takeError();
    if (error !== null) throw error;
    const destination = this.#addressing.destination(port, address);
    if (destination === undefined) return this.#lookUpAndSend(bytes, port!, address!, options);
    return this.#sendNow(bytes, destination, options);
  }

  async #lookUpAndSend(
    bytes: Uint8Array,
    port: number,
    name: string,
    options: SendOptions | undefined,
  ): Promise<number> {
    const destination = await this.#addressing.lookUp(name, port, options);
    this.checkOpen();
    throwIfAborted(options?.signal);
    bytesIn(bytes);
    return this.#sendNow(bytes, destination, options);
  }

  #sendNow(
    bytes: Uint8Array,
    destination: Destination | null,
    options: SendOptions | undefined,
  ): Promise<number> {
    const control = this.#addressing.control(options, destination);
    const { referenced } = this.#sender;
    return this.#sender.send(
      bytes,
      destination,
      control,
      sendLimit(options, referenced, destination?.details),
    );
  }

  /**
   * Sends a list of datagrams, with one system call if there is room; resolves to their number when the kernel has
   * taken all.
   * @throws (as a rejection) SendManyError otherwise, with the number of sent datagrams, and the reason for each of the
   * others; TypeError and RangeError before anything is sent.
   */
  async sendMany(list: readonly OutgoingDatagram[], options?: SendOptions): Promise<number> {
    if (!Array.isArray(list)) throw argTypeError('list', 'an array', list);
    this.checkOpen();
    if (options !== undefined) checkSendOptions(options);
    const error = this.#receiver.takeError();
    if (error !== null) throw error;
    if (list.length === 0) return 0;
    const ready =
      this.#addressing.prepare(list, options) ?? (await this.#addressing.prepareNames(list, options));
    this.checkOpen();
    throwIfAborted(options?.signal);
    for (const { bytes } of ready) bytesIn(bytes);
    return await new Batch(
      this.#sender,
      ready,
      sendLimit(options, this.#sender.referenced),
      this.domain !== AF_UNIX,
    ).run();
  }

  // --- Peers --------------------------------------------------------------------------------------

  /**
   * Connects the socket to one peer: it only receives from that peer, `send(data)` goes there, and refusals of the
   * peer's host (ICMP) are reported as errors. `connect(port, host)`, by default this host, or `connect(path)` for a
   * Unix socket. connect(2)
   * @param options `signal` and `timeout` limit the name lookup; the rest takes no time.
   * @throws (as a rejection) UasyncError ERR_SOCKET_DGRAM_IS_CONNECTED, EACCES, ENETUNREACH, ENOENT and similar;
   * AbortError, ETIMEDOUT; errors of the name lookup.
   */
  connect(to: number | string, host?: string, options?: WaitOptions): Promise<void> {
    return this.#peer.connect(to, host, options);
  }

  /**
   * Undoes `connect`.
   * @throws (as a rejection) UasyncError ERR_SOCKET_DGRAM_NOT_CONNECTED.
   */
  disconnect(): Promise<void> {
    return this.#peer.disconnect();
  }

  /** @internal */
  protected override checkOpen(): void {
    this.#endpoint.checkOpen();
  }

  /** @internal */
  protected override beforeChange(): void {
    this.#sender.invalidate();
  }

  // --- The end ------------------------------------------------------------------------------------

  /** Keeps the process alive once it receives, which is the default. */
  ref(): this {
    return this.#setReferenced(true);
  }

  /** No longer keeps the process alive. */
  unref(): this {
    return this.#setReferenced(false);
  }

  #setReferenced(referenced: boolean): this {
    this.#endpoint.setReferenced(referenced);
    return this;
  }

  /**
   * Closes the socket. Earlier datagrams are sent, except those for which the kernel has no room. Waiting calls reject
   * with ERR_CLOSED, and an iteration ends. A second call waits for the first.
   */
  close(): Promise<void> {
    return this.#endpoint.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function checkSendOptions(options: SendOptions): void {
  checkWait(options, SEND_OPTIONS);
  checkPacketOptions(options);
}
