import type { Connection } from '../../net/stream/connection.js';
import { SEND_MAX } from '../../sys/calls/socket-calls.js';
import type { SocketAddress } from '../../sys/socket/sockaddr.js';
import type { OpenFile } from './open-file.js';
import type { Upgraded } from './upgrade.js';

/** Bytes up to this size are copied by `postJoined`. */
export const COPIED_MAX = SEND_MAX;

/** Data to send: text as UTF-8, or bytes. */
export type Data = string | Uint8Array;

/** Receives data. None of its methods throws, or calls user code. */
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
  /** Data is not taken, so the end may not be seen. */
  watch(): void;
  /** The connection has failed. */
  onFailure(error: Error): void;
}

/** Transfers the bytes of a connection: the socket itself, or TLS over it. */
export interface Transport {
  readonly connection: Connection;
  readonly secure: boolean;
  readonly remoteAddress: SocketAddress | undefined;
  /** Bytes that the peer has not taken yet. */
  readonly bufferedAmount: number;
  /** Bytes transferred in either direction, to detect progress. */
  readonly moved: number;
  /** Sends without waiting. The owner is notified of a failure. */
  post(data: Data): void;
  /** As `post`, of text, bytes and ASCII text, which leave together; more than COPIED_MAX bytes must not change until they are sent. */
  postJoined(before: string, bytes: Uint8Array, after: string): void;
  /** Sends text and cached bytes of a file in one write; false if nothing was sent, and the bytes must be read first. */
  postFile(before: string, file: OpenFile, offset: number, length: number): boolean;
  /**
   * Sends text and a part of a file behind it, at once. Returns how many bytes of the file were sent, or -1 if nothing was.
   */
  sendFileNow(before: string, file: OpenFile, offset: number, length: number): number;
  /** Sends a part of a file behind what was posted; resolves to how many bytes. */
  sendFile(file: OpenFile, offset: number, length: number): Promise<number>;
  /** Resolves when everything posted so far has been taken; rejects if it never will be. */
  drained(): Promise<void>;
  /** The owner takes more again. */
  resume(): void;
  /** Starts receiving. */
  start(): void;
  /** Hands the connection over to another protocol. @param head its data that has arrived already. */
  release(head: Buffer): Promise<Upgraded>;
  /** Sends posted data, then closes. */
  close(): Promise<void>;
  /** Closes at once: the peer sees a reset. */
  reset(): Promise<void>;
  ref(): void;
  unref(): void;
}
