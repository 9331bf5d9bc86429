import type { Duplex } from 'node:stream';
import type { Connection } from '../../net/stream/connection.js';

/** A connection that was upgraded from HTTP. */
export interface Upgraded {
  /** The connection; over TLS the one below it, which must not be read or written. */
  readonly connection: Connection;
  /** The data that the peer has sent after the head of its request. Read later data from the connection. */
  readonly head: Buffer;
  /** The connection as a stream of Node's, over TLS its TLSSocket: for `ws`, with `head`. */
  toDuplex(): Duplex;
}
