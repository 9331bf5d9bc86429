/** The messages between a thread and its starter. */
import type { MessagePort } from 'node:worker_threads';
import type { LoopStats } from '../loop/loop-stats.js';
import type { ListenOptions } from '../net/listen/options.js';
import type { InetAddress } from '../sys/socket/sockaddr.js';
import type { ChannelEnd } from './channel-end.js';

/** The initial data of a thread. */
export interface ThreadData {
  id: number;
  moduleUrl: string;
  data: unknown;
  control: MessagePort;
  end: ChannelEnd;
}

/** A request for a listening socket. */
export interface SocketRequest {
  /** The same name for the corresponding socket in another start of the thread. */
  name: string;
  backlog: number;
  options: Pick<ListenOptions, 'port' | 'host' | 'family' | 'ipv6Only' | 'noDelay' | 'fastOpen'>;
}

/** From a thread. */
export type FromThread =
  | { type: 'ready'; addresses: InetAddress[] }
  | { type: 'listen'; call: number; request: SocketRequest }
  /** It has a descriptor of its own for the socket it was shown, or needs none. */
  | { type: 'taken'; call: number }
  /** It no longer accepts from the socket with this name. */
  | { type: 'unused'; name: string }
  | { type: 'stats'; call: number; stats: LoopStats };

/** To a thread. */
export type ToThread =
  | { type: 'stop' }
  /** A socket, open until the thread reports that it has taken it. */
  | { type: 'socket'; call: number; fd: number }
  | { type: 'refused'; call: number; message: string; details: { code: string } }
  | { type: 'stats'; call: number };
