import type { Duplex } from 'node:stream';
import type { Connection } from '../net/stream/connection.js';

/** A connection that speaks HTTP no more. */
export interface Upgraded {
  /** The connection; over TLS the one that lies under it, which is not to be read or written. */
  readonly connection: Connection;
  /** What the peer has sent behind the head of its request. What comes after is to be read. */
  readonly head: Buffer;
  /** The connection as a stream of Node's, over TLS its TLSSocket: for `ws`, with `head`. */
  toDuplex(): Duplex;
}
