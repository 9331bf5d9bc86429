/** What a thread and the one that started it say to each other. */
import type { MessagePort } from 'node:worker_threads';
import type { ChannelEnd } from '../loop/channel-end.js';
import type { LoopStats } from '../loop/loop-stats.js';
import type { InetAddress } from '../ring/sockaddr.js';

/** What a thread is born with. */
export interface ThreadData {
  id: number;
  moduleUrl: string;
  data: unknown;
  control: MessagePort;
  end: ChannelEnd;
}

/** From a thread. */
export type FromThread =
  | { type: 'ready'; addresses: InetAddress[] }
  | { type: 'reserve'; index: number; host: string | undefined; ipv6Only: boolean }
  | { type: 'stats'; call: number; stats: LoopStats };

/** To a thread. */
export type ToThread =
  | { type: 'stop' }
  | { type: 'reserved'; index: number; port: number }
  | { type: 'refused'; index: number; message: string; details: { code: string } }
  | { type: 'stats'; call: number };
