import type { Connection } from '../net/stream/connection.js';
import type { SocketAddress } from '../ring/sockaddr.js';
import type { OpenFile } from './static/open-file.js';
import type { Upgraded } from './upgrade.js';

/** What is sent: text as UTF-8, or bytes. */
export type Data = string | Uint8Array;

/** Who takes what arrives. None of its methods throws, or calls code of users. */
export interface TransportOwner {
  /** Whether it can parse more now. */
  readonly takes: boolean;
  /** `length` bytes are in the parser's `input`. */
  parse(length: number): void;
  /** How many of the bytes that come next need no parser: `takeBody` gets them as they are. */
  readonly plain: number;
  takeBody(bytes: Buffer): void;
  /** The peer has ended its side. */
  onEnd(): void;
  /** What comes is not taken, and the end may not be seen. */
  watch(): void;
  /** The connection has failed. */
  onFailure(error: Error): void;
}

/** What carries the bytes of a connection: the socket itself, or TLS over it. */
export interface Transport {
  readonly connection: Connection;
  readonly secure: boolean;
  readonly remoteAddress: SocketAddress | undefined;
  /** Bytes that the peer has not taken yet. */
  readonly bufferedAmount: number;
  /** Bytes that have moved in either direction: whether something happens. */
  readonly moved: number;
  /** Sends without waiting. A failure is told to the owner. */
  post(data: Data): void;
  /** As `post`, of text, bytes and ASCII text, which leave together: the bytes are copied, or must not change until they are sent. */
  postJoined(before: string, bytes: Uint8Array, after: string): void;
  /** Sends a part of a file behind what was posted; resolves to how many bytes. */
  sendFile(file: OpenFile, offset: number, length: number): Promise<number>;
  /** Resolves when what was posted so far has been taken; rejects if it will never be. */
  drained(): Promise<void>;
  /** The owner takes more again. */
  resume(): void;
  /** Begins to receive. */
  start(): void;
  /** Leaves the connection to another protocol. @param head what has come of it already. */
  release(head: Buffer): Promise<Upgraded>;
  /** Sends what was posted, then closes. */
  close(): Promise<void>;
  /** Closes at once: the peer sees a reset. */
  reset(): Promise<void>;
  ref(): void;
  unref(): void;
}
