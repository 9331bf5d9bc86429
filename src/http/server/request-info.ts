import type { InspectOptionsStylized } from 'node:util';
import { placeOf } from '../../net/address/addresses.js';
import { custom, shown } from '../../sys/inspect.js';
import type { SocketAddress } from '../../sys/socket/sockaddr.js';
import type { Upgraded } from '../transport/upgrade.js';
import type { Server } from './server.js';

/** The source of a request's info. */
export interface InfoSource {
  readonly remoteAddress: SocketAddress | undefined;
  readonly localAddress: SocketAddress | undefined;
  readonly secure: boolean;
  readonly server: Server;
  upgrade(info: RequestInfo): Promise<Upgraded>;
}

/** Information about a request for its handler. */
export class RequestInfo {
  readonly #source: InfoSource;

  /** @internal */
  constructor(source: InfoSource) {
    this.#source = source;
  }

  /** @internal */
  [custom](depth: number, options: InspectOptionsStylized): string {
    const { remoteAddress, secure } = this;
    const place = remoteAddress === undefined ? '' : placeOf(remoteAddress);
    return shown(this, depth, options, secure ? 'https' : 'http', place, []);
  }

  /** The peer's address, also behind TLS; undefined if it had disconnected before it was accepted. */
  get remoteAddress(): SocketAddress | undefined {
    return this.#source.remoteAddress;
  }

  /** This end's address. */
  get localAddress(): SocketAddress | undefined {
    return this.#source.localAddress;
  }

  /** Whether the request has arrived over TLS. */
  get secure(): boolean {
    return this.#source.secure;
  }

  /** The server. */
  get server(): Server {
    return this.#source.server;
  }

  /**
   * Hands the connection over to another protocol: nothing is answered, and the handler's return value is ignored. For
   * requests with `Upgrade` and `Connection: upgrade` headers, before they are answered.
   * @throws (as a rejection) UasyncError ERR_INVALID_STATE if it cannot be upgraded.
   */
  async upgrade(): Promise<Upgraded> {
    return this.#source.upgrade(this);
  }
}
