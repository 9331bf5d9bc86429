import { checkWait, unlessGivenUp, type WaitOptions } from '../../loop/waiting/waiter.js';
import { SOCKADDR_IN } from '../../sys/abi/structs.js';
import { type ErrorDetails, systemError, UasyncError } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';
import { AF_UNIX, type SocketAddress, sockaddrOf } from '../../sys/socket/sockaddr.js';
import { localAddress, remoteAddress } from '../address/addresses.js';
import { UnixName } from '../address/unix-path.js';
import { datagramConnected } from '../socket/diagnostics.js';
import type { DatagramAddressing } from './addressing.js';
import type { Destination } from './destination.js';
import { destinationOf, unixDestination } from './destination-cache.js';
import type { DatagramEndpoint, SocketSetup } from './endpoint.js';

/** The peer of a connected datagram socket: connect(2) and disconnecting. */
export class ConnectedPeer {
  /** Its address; undefined while the socket is not connected. */
  address: SocketAddress | undefined;
  readonly #socket: object;
  readonly #endpoint: DatagramEndpoint;
  readonly #addressing: DatagramAddressing;
  readonly #isUnix: boolean;
  /** The address that the socket was first bound to; undefined if it was not bound. */
  readonly #bound: SocketAddress | undefined;

  constructor(
    socket: object,
    endpoint: DatagramEndpoint,
    addressing: DatagramAddressing,
    setup: SocketSetup,
  ) {
    this.#socket = socket;
    this.#endpoint = endpoint;
    this.#addressing = addressing;
    this.#isUnix = setup.domain === AF_UNIX;
    this.#bound = setup.bound ? addressing.local : undefined;
    if (setup.peer !== undefined) this.#set(destinationOf(setup.peer));
  }

  async connect(
    to: number | string,
    host: string | undefined,
    options: WaitOptions | undefined,
  ): Promise<void> {
    this.#endpoint.checkOpen();
    checkWait(options);
    if (this.#addressing.peer !== null || this.#addressing.connecting) {
      throw new UasyncError('ERR_SOCKET_DGRAM_IS_CONNECTED', 'Already connected');
    }
    this.#addressing.connecting = true;
    this.#endpoint.sender.invalidate();
    try {
      if (this.#isUnix) await this.#connectToPath(to as string);
      else {
        const peer = await unlessGivenUp(this.#addressing.peerOf(to as number, host), 'connect', options);
        this.#endpoint.checkOpen();
        await this.#connectTo(peer.bytes, peer.details);
        this.#set(peer);
      }
    } finally {
      this.#addressing.connecting = false;
    }
  }

  async #connectToPath(path: string): Promise<void> {
    const name = new UnixName(path, 'connect');
    try {
      const peer = unixDestination(path, name.address);
      await this.#connectTo(peer.bytes, peer.details);
      this.#set(peer);
    } finally {
      name.close();
    }
  }

  async #connectTo(name: Uint8Array, details: ErrorDetails | undefined): Promise<void> {
    try {
      await this.#endpoint.loop.submit(sqe => sqe.connectTo(this.#endpoint.fd, name));
    } catch (error) {
      const { errno } = error as UasyncError;
      throw errno === undefined ? error : systemError(errno, 'connect', details);
    }
  }

  #set(peer: Destination | null): void {
    const { fd, sender, receiver } = this.#endpoint;
    this.#addressing.peer = peer;
    sender.peer = peer;
    receiver.peer = peer;
    // The kernel has chosen an address or a port that was left open.
    const { local } = this.#addressing;
    if (local === undefined || !('path' in local) || local.path === '') {
      this.#addressing.local = localAddress(fd) ?? local;
    }
    if (peer === null) this.address = undefined;
    else {
      this.address = this.#isUnix ? { path: peer.address } : remoteAddress(fd);
      datagramConnected(this.#socket, this.address);
    }
  }

  async disconnect(): Promise<void> {
    this.#endpoint.checkOpen();
    if (this.#addressing.peer === null) {
      throw new UasyncError('ERR_SOCKET_DGRAM_NOT_CONNECTED', 'Not connected');
    }
    // AF_UNSPEC
    await this.#connectTo(new Uint8Array(SOCKADDR_IN.size), undefined);
    this.#set(null);
    this.#bindAgain();
  }

  /** Disconnecting drops a port that the kernel chose. Without a new bind, peers that know it would lose the socket. */
  #bindAgain(): void {
    const bound = this.#bound;
    const { local } = this.#addressing;
    if (bound === undefined || 'path' in bound || local === undefined || 'path' in local) return;
    if (local.port === bound.port) return;
    const failed = libc().bind(this.#endpoint.fd, sockaddrOf(bound));
    if (failed < 0) throw systemError(failed, 'bind', bound);
    this.#addressing.local = bound;
  }
}
