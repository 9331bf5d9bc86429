import type { Limits } from '../input/limits.js';
import type { Handler, HttpOptions } from '../options.js';
import type { Server } from './server.js';

/** What a connection uses of its server. */
export interface ConnectionOwner<Connection> extends Server {
  readonly handler: Handler;
  readonly options: HttpOptions;
  readonly limits: Limits;
  /** The time of the last reading of the clock, which is exact enough for timeouts. */
  readonly time: number;
  readonly stopping: boolean;
  /** The default `Host` of requests without one. */
  readonly authority: string;
  /** A request has arrived: calls `run` in a context of its own. */
  ready(connection: Connection): void;
  noteAnswered(): void;
  noteRefused(): void;
  noteCut(): void;
  /** It is closed. */
  gone(connection: Connection): void;
  /** It was upgraded to another protocol, and no longer belongs to the server. */
  upgraded(connection: Connection): void;
}
