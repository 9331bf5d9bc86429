/** `channelPair`: the two ends of a channel before they are opened. */
import type { MessagePort } from 'node:worker_threads';
import { checkInt } from '../sys/check/check.js';
import { checkOptions, optionNames } from '../sys/check/options.js';
import { argValueError } from '../sys/errors/errors.js';
import { EndState } from './end-state.js';
import { MessageQueue } from './message-queue.js';

const DEFAULT_CAPACITY = 1024 * 1024;

/**
 * One end of a channel that is not open yet. It is plain data: pass it to the thread that will open it, with `port` in
 * the transfer list. `channelPair()` creates two.
 */
export interface ChannelEnd {
  /** Put this into the transfer list when you pass the end to another thread. */
  readonly port: MessagePort;
  /** @internal */
  readonly memory: SharedArrayBuffer;
  /** @internal Which of the two ends it is: 0 or 1. */
  readonly side: number;
}

/** The capacity between two threads. */
export interface ChannelOptions {
  /**
   * The space for messages in each direction, in bytes: a power of two from 4 KiB to 1 GiB, default 1 MiB. A value that
   * is not a typed array counts as a 1024th of it, regardless of its size.
   */
  capacity?: number | undefined;
}

const CHANNEL_OPTIONS = optionNames<ChannelOptions>({ capacity: true });

/** Creates the two ends of a channel. Open each end once, by `new Channel(end)`, in the thread that uses it. */
export function channelPair(options: ChannelOptions = {}): [ChannelEnd, ChannelEnd] {
  checkOptions(options, CHANNEL_OPTIONS);
  const capacity = checkInt('options.capacity', options.capacity ?? DEFAULT_CAPACITY, 4096, 2 ** 30);
  if (!Number.isInteger(Math.log2(capacity))) {
    throw argValueError('options.capacity', 'must be a power of two', capacity);
  }
  // The states of both ends come before the queues.
  const memory = new SharedArrayBuffer(2 * (EndState.size + MessageQueue.sizeOf(capacity)));
  const { MessageChannel } = process.getBuiltinModule('node:worker_threads');
  const { port1, port2 } = new MessageChannel();
  return [
    { port: port1, memory, side: 0 },
    { port: port2, memory, side: 1 },
  ];
}
