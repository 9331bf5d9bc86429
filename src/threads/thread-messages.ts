/** What a thread and the one that started it say to each other. */
import type { MessagePort } from 'node:worker_threads';
import type { LoopStats } from '../loop/loop-stats.js';
import type { ListenOptions } from '../net/listen/options.js';
import type { InetAddress } from '../ring/sockaddr.js';
import type { ChannelEnd } from './channel-end.js';

/** What a thread is born with. */
export interface ThreadData {
  id: number;
  moduleUrl: string;
  data: unknown;
  control: MessagePort;
  end: ChannelEnd;
}

/** A listening socket that is asked for. */
export interface SocketRequest {
  /** The same for the socket that another start of the thread has in its place. */
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
  /** It no longer accepts from the socket of this name. */
  | { type: 'unused'; name: string }
  | { type: 'stats'; call: number; stats: LoopStats };

/** To a thread. */
export type ToThread =
  | { type: 'stop' }
  /** A socket, open until the thread says that it has taken it. */
  | { type: 'socket'; call: number; fd: number }
  | { type: 'refused'; call: number; message: string; details: { code: string } }
  | { type: 'stats'; call: number };
