import type { SocketAddress } from '../../sys/socket/sockaddr.js';
import type { HttpStopOptions } from './stopping.js';

/** Counters of a server. */
export interface HttpStats {
  /** Open connections. */
  readonly connections: number;
  /** Connections that wait for a next request. */
  readonly idle: number;
  /** Requests that are being answered. */
  readonly active: number;
  /** Connections accepted in total. */
  readonly accepted: number;
  /** Requests answered in total. */
  readonly answered: number;
  /** Requests refused before a handler saw them, in total: malformed, too large, late. */
  readonly refused: number;
  /** Connections cut in total: by their peers, for being slow, or because an answer failed halfway. */
  readonly cut: number;
  /** Connections that were upgraded to another protocol. */
  readonly upgraded: number;
}

/** A listening HTTP server. Created by `serve`. */
export interface Server {
  /** The address that it listens on. */
  readonly address: SocketAddress;
  /**
   * Its URL. For a Unix socket it has no meaningful host; for the address of all interfaces the host is 'localhost'.
   */
  readonly url: URL;
  /** Resolves when it has stopped, and its connections are closed. */
  readonly closed: Promise<void>;

  /** The current counters. */
  stats(): HttpStats;

  /** Keeps the process alive, which is the default. */
  ref(): this;

  /** No longer keeps the process alive. */
  unref(): this;

  /**
   * Stops: accepts no more connections, closes idle ones, and answers pending requests with `Connection: close`.
   * Resolves when all connections are closed, to the number of those that had to be cut. A second call waits for the
   * first, and may shorten its timeout.
   */
  stop(options?: HttpStopOptions): Promise<number>;

  /** As `stop()`. */
  [Symbol.asyncDispose](): Promise<void>;
}
