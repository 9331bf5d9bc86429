/** Receives by a separate call, directly into memory of the reader. */

import type { SocketCalls } from '../../sys/calls/socket-calls.js';
import { addressOf } from '../../sys/memory/address.js';
import { receivedChunk, receiveInto, receiveWhole } from '../socket/slab.js';
import type { ReadQueue } from './read-queue.js';
import { ALL, CHUNK, INTO, type Reader } from './reader.js';
import { LARGE } from './receive-mode.js';

/** Whether a reader can take the data of such a call. */
export function takesCalls(reader: Reader): boolean {
  if (reader.asks === ALL) return reader.wish.sink!.chunkSize >= LARGE;
  return reader.asks === CHUNK || (reader.asks === INTO && reader.wish.room >= LARGE);
}

/** Whether such a reader takes data now. */
export function isReady(reader: Reader): boolean {
  return reader.asks !== ALL || reader.wish.sink!.takesChunk();
}

/** The chunk that was received for a sink. */
let whole: Buffer | number = 0;

/** Receives available data for such a reader: the number of bytes, or a negative errno. recv(2) */
export function receiveFor(reader: Reader, calls: SocketCalls, fd: number): number {
  if (reader.asks === ALL) {
    whole = receiveWhole(calls, fd, reader.wish.sink!.chunkSize);
    return typeof whole === 'number' ? whole : whole.length;
  }
  const { target, room } = reader.wish;
  return target === null ? receiveInto(calls, fd) : calls.receiveAt(fd, addressOf(target), room);
}

/** Settles the first reader with the data just received for it. */
export function settle(reads: ReadQueue, reader: Reader, length: number): void {
  if (reader.asks === ALL) reader.wish.sink!.takeChunk(whole as Buffer);
  else if (reader.asks === INTO) reads.filled(length);
  else reads.give(receivedChunk(length));
}
