/**
 * The reads of a connection except `read` itself. Each checks its arguments and starts a reader. The reader holds the
 * connection, `user`, which must not be collected during the read.
 */
import { constants } from 'node:buffer';
import { isUint8Array } from 'node:util/types';
import { checkWait, type WaitOptions } from '../../loop/waiting/waiter.js';
import { checkBytes, checkInt } from '../../sys/check/check.js';
import { argTypeError, rangeError, stateError } from '../../sys/errors/errors.js';
import type { ReceivedFds } from '../socket/received-fds.js';
import {
  type Delimiter,
  delimiterOf,
  READ_UNTIL_OPTIONS,
  type ReadUntilOptions,
  untilMax,
} from './delimiter.js';
import type { Reader } from './reader.js';
import type { Receiver } from './receiver.js';

const PEEK_MAX = 1 << 24;

function readerOf(user: object, receiver: Receiver): Reader {
  const reader = receiver.newReader();
  reader.user = user;
  return reader;
}

export async function readInto(
  user: object,
  receiver: Receiver,
  buffer: Uint8Array,
  options: WaitOptions | undefined,
): Promise<number> {
  checkBytes('buffer', buffer);
  if (!isUint8Array(buffer)) throw argTypeError('buffer', 'an instance of Uint8Array', buffer);
  if (buffer.length === 0) throw rangeError('buffer.length', '>= 1', buffer.length);
  checkWait(options);
  return (await receiver.start(readerOf(user, receiver).into(buffer), options)) as number;
}

export async function readExactly(
  user: object,
  receiver: Receiver,
  count: number,
  options: WaitOptions | undefined,
): Promise<Buffer> {
  checkInt('count', count, 0, constants.MAX_LENGTH);
  checkWait(options);
  return (await receiver.start(readerOf(user, receiver).exactly(count), options)) as Buffer;
}

export async function readUntil(
  user: object,
  receiver: Receiver,
  delimiter: Delimiter,
  options: ReadUntilOptions,
): Promise<Buffer> {
  checkWait(options, READ_UNTIL_OPTIONS);
  const bytes = delimiterOf(delimiter);
  const max = untilMax(options, bytes.length);
  return (await receiver.start(readerOf(user, receiver).until(bytes, max), options)) as Buffer;
}

export async function peek(
  user: object,
  receiver: Receiver,
  count: number,
  options: WaitOptions | undefined,
): Promise<Buffer | null> {
  checkInt('count', count, 1, PEEK_MAX);
  checkWait(options);
  return (await receiver.start(readerOf(user, receiver).peek(count), options)) as Buffer | null;
}

export async function recvFds(
  user: object,
  receiver: Receiver,
  options: WaitOptions | undefined,
): Promise<ReceivedFds | null> {
  checkWait(options);
  const { fds } = receiver;
  if (fds === null) throw stateError("Only a connection made with 'receiveFds' takes any");
  return (await receiver.start(readerOf(user, receiver).withFds(fds), options)) as ReceivedFds | null;
}
