import type { SocketAddress } from '../ring/sockaddr.js';
import type { Server } from './server.js';
import type { Upgraded } from './upgrade.js';

/** What a request's info is asked of. */
export interface InfoSource {
  readonly remoteAddress: SocketAddress | undefined;
  readonly localAddress: SocketAddress | undefined;
  readonly secure: boolean;
  readonly server: Server;
  upgrade(info: RequestInfo): Promise<Upgraded>;
}

/** What a handler gets to know beside the request. */
export class RequestInfo {
  readonly #source: InfoSource;

  /** @internal */
  constructor(source: InfoSource) {
    this.#source = source;
  }

  /** The peer's address, also behind TLS; undefined if it had gone before it was accepted. */
  get remoteAddress(): SocketAddress | undefined {
    return this.#source.remoteAddress;
  }

  /** This end's address. */
  get localAddress(): SocketAddress | undefined {
    return this.#source.localAddress;
  }

  /** Whether the request has come over TLS. */
  get secure(): boolean {
    return this.#source.secure;
  }

  /** The server. */
  get server(): Server {
    return this.#source.server;
  }

  /**
   * Leaves the connection to another protocol: nothing is answered, and what the handler returns is not looked at. For
   * requests with `Upgrade` and `Connection: upgrade` headers, before they are answered.
   * @throws (as a rejection) UasyncError ERR_INVALID_STATE if it cannot be upgraded.
   */
  async upgrade(): Promise<Upgraded> {
    return this.#source.upgrade(this);
  }
}
