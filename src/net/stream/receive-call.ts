/** Receives by a separate call, directly into the reader's memory. */

import type { SocketCalls } from '../../sys/calls/socket-calls.js';
import { addressOf } from '../../sys/memory/address.js';
import { receivedChunk, receiveInto } from '../socket/slab.js';
import type { ReadQueue } from './read-queue.js';
import { CHUNK, INTO, type Reader } from './reader.js';
import { LARGE } from './receive-mode.js';

/** Whether a reader can take the data of such a call. */
export function takesCalls(reader: Reader): boolean {
  return reader.asks === CHUNK || (reader.asks === INTO && reader.wish.room >= LARGE);
}

/** Receives available data for such a reader: the number of bytes, or a negative errno. recv(2) */
export function receiveFor(reader: Reader, calls: SocketCalls, fd: number): number {
  const { target, room } = reader.wish;
  return target === null ? receiveInto(calls, fd) : calls.receiveAt(fd, addressOf(target), room);
}

/** Settles the first reader with the data just received for it. */
export function settle(reads: ReadQueue, reader: Reader, length: number): void {
  if (reader.asks === INTO) reads.filled(length);
  else reads.give(receivedChunk(length));
}
