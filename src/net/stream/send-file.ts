/** `Connection.sendFile`: part of a file, from the page cache or through blocks of runtime memory. */

import type { Loop } from '../../loop/loop.js';
import { BLOCK_MAX, type Block } from '../../loop/memory/blocks.js';
import { copyPooled } from '../../loop/memory/buffer-memory.js';
import { AbortableOperation, throwIfAborted } from '../../loop/waiting/abort.js';
import { checkWait } from '../../loop/waiting/waiter.js';
import { withBlock } from '../../loop/waiting/with-block.js';
import type { Sqe } from '../../ring/sqe/index.js';
import { EAGAIN, EINTR, EPIPE } from '../../sys/abi/errno.js';
import { POLLIN } from '../../sys/abi/flags.js';
import { checkFd, checkInt, checkSignal } from '../../sys/check/check.js';
import { checkOptions, optionNames } from '../../sys/check/options.js';
import { argTypeError, closedError, kept, systemError } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';
import { sentBy, startSend } from '../socket/block-send.js';
import { untilWritable } from '../socket/writable-wait.js';
import type { Endpoint } from './endpoint.js';
import { whileHeld } from './hold-limit.js';
import { cachedSize, FULL, isRepeatable, LATER, sendCached, UNKNOWN } from './send-cached.js';
import type { Sender } from './sender.js';

/** A descriptor of a file, or an object with one. */
export type SendableFile = { readonly fd: number } | number;

/** The part of a file for `sendFile`. */
export interface SendFileOptions {
  /** The start, in bytes; default 0. */
  offset?: number | undefined;
  /** The number of bytes; default to the end of the file. */
  length?: number | undefined;
  /** Aborting it rejects the call with an AbortError. */
  signal?: AbortSignal | undefined;
  /** Milliseconds after which the call rejects with ETIMEDOUT; without it there is no limit. */
  timeout?: number | undefined;
}

const SEND_FILE_OPTIONS = optionNames<SendFileOptions>({
  offset: true,
  length: true,
  signal: true,
  timeout: true,
});

/** The descriptor of a file. */
export function descriptorOf(file: SendableFile): number {
  if (typeof file === 'number') return checkFd(file);
  if (typeof file !== 'object' || file === null || typeof file.fd !== 'number') {
    throw argTypeError('file', 'a FileHandle or a descriptor', file);
  }
  // The value in a closed FileHandle, also in Node's.
  if (file.fd === -1) throw closedError('The file');
  return checkFd(file.fd);
}

function checkSendFile(file: SendableFile, options: SendFileOptions): void {
  descriptorOf(file);
  checkOptions(options, SEND_FILE_OPTIONS);
  const { offset, length, signal, timeout } = options;
  if (offset !== undefined) checkInt('options.offset', offset, 0, Number.MAX_SAFE_INTEGER);
  if (length !== undefined) checkInt('options.length', length, 0, Number.MAX_SAFE_INTEGER);
  checkWait({ signal: checkSignal(signal), timeout });
}

/**
 * Sends a part of a file when earlier writes have been taken; returns the number of bytes. If it fails after some of
 * them were sent, the sender fails with it.
 *
 * Cached bytes are not copied (see send-cached.ts), others go through a block of runtime memory: IORING_OP_SPLICE would
 * occupy a kernel worker thread for each peer that does not read.
 */
export async function sendFile(
  endpoint: Endpoint,
  file: SendableFile,
  options: SendFileOptions,
): Promise<number> {
  checkSendFile(file, options);
  const { offset = 0, length = Number.POSITIVE_INFINITY, signal, timeout } = options;
  return whileHeld(endpoint.sender, { signal, timeout }, async signal => {
    // Only now: the file may have been closed while earlier writes were sent.
    const copy = duplicate(file);
    try {
      await send(endpoint, copy, offset, length, signal);
    } finally {
      libc().close(copy);
    }
  });
}

/** A descriptor of its own: if the caller closes the file meanwhile, another file may get the number. */
function duplicate(file: SendableFile): number {
  const copy = libc().duplicate(descriptorOf(file));
  if (copy < 0) throw systemError(copy, 'dup');
  return copy;
}

/** Instead of a number of bytes: the file has no more. */
const END = -1;

/** A send from a block. If memory is short, or the peer has ended, it ends with what has been taken: it does not wait. */
class BlockSend extends AbortableOperation<number> {
  #yielding = false;
  #sender: Sender | null = null;

  override get syscall(): string {
    return 'send';
  }

  run({ sender, fd }: Endpoint, { address }: Block, length: number, signal: AbortSignal): Promise<number> {
    this.#yielding = this.loop.blocks.short || sender.peerEnded;
    startSend(this, fd, address, length, this.#yielding);
    this.#sender = sender;
    sender.heldSend = this;
    this.watch(signal);
    return this.promise();
  }

  override yieldBlock(): boolean {
    if (this.#yielding) return false;
    this.#yielding = true;
    this.loop.cancelForSure(this);
    return true;
  }

  complete(res: number): void {
    this.#sender!.heldSend = null;
    if (!this.loop.closing) res = sentBy(res, this.#yielding);
    this.conclude(res, res);
  }
}

/** Reads, and retries if a kernel thread was interrupted; EAGAIN if a non-blocking pipe has nothing. */
async function read(loop: Loop, prepare: (sqe: Sqe) => void, signal: AbortSignal): Promise<number> {
  for (;;) {
    try {
      return await loop.submit(prepare, { signal });
    } catch (error) {
      const { errno } = error as { errno?: number };
      if (errno === EAGAIN) return errno;
      if (errno !== EINTR) throw error;
    }
  }
}

/** Resolves in the loop's next turn. */
function nextTurn(loop: Loop): Promise<void> {
  return new Promise(resolve => loop.soon(resolve));
}

/** Sends the parts of a file that are not cached: reads each into a block of runtime memory, and sends that. */
class CopiedParts {
  readonly #endpoint: Endpoint;
  readonly #file: number;
  readonly #repeatable: boolean;
  /** Bytes that were read, cannot be read again, and were not taken: they come next. */
  #kept: Buffer | null = null;

  constructor(endpoint: Endpoint, file: number, repeatable: boolean) {
    this.#endpoint = endpoint;
    this.#file = file;
    this.#repeatable = repeatable;
  }

  /** Sends up to `length` bytes from `offset` on; resolves to how many the socket has taken, END at the file's end. */
  async send(offset: number, length: number, signal: AbortSignal): Promise<number> {
    const { loop, sender, fd: socket } = this.#endpoint;
    const file = this.#file;
    // A pipe without data holds no block.
    if (!this.#repeatable && this.#kept === null)
      await loop.submit(sqe => sqe.pollAdd(file, POLLIN), { signal });
    let filled = 0;
    const piece = async (block: Block): Promise<number> => {
      const { address, bytes } = block;
      const kept = this.#kept;
      const want = Math.min(length, bytes.length);
      if (kept === null) filled = await read(loop, sqe => sqe.readAt(file, address, want, offset), signal);
      else filled = kept.copy(bytes);
      if (filled <= 0) return 0;
      const taken = await new BlockSend(loop).run(this.#endpoint, block, filled, signal);
      if (kept !== null) this.#kept = taken < kept.length ? kept.subarray(taken) : null;
      else if (taken < filled && !this.#repeatable) this.#kept = copyPooled(bytes.subarray(taken, filled));
      return taken;
    };
    const taken = await withBlock(loop, Math.min(length, BLOCK_MAX), 1, piece, signal);
    if (filled === 0) return END;
    sender.bytesWritten += taken;
    // Others may use the block until the peer takes more; the rest is read again, if it can be.
    if (taken < filled) await untilWritable(loop, socket, signal);
    return taken;
  }
}

/** The sending side fails when the connection ends: what waits for bytes to send must not need them to learn of it. */
function failWhenOver(endpoint: Endpoint, signal: AbortSignal): void {
  const { loop, sender } = endpoint;
  endpoint.over({ signal }).then(
    () => {
      if (!signal.aborted && !loop.closing)
        sender.abort(kept(systemError(EPIPE, 'write', endpoint.peerDetails)));
    },
    () => {},
  );
}

/** Sends up to `length` bytes of a file, starting at `offset`. */
async function send(
  endpoint: Endpoint,
  file: number,
  offset: number,
  length: number,
  signal: AbortSignal,
): Promise<void> {
  const repeatable = isRepeatable(endpoint.loop, file);
  if (repeatable) return sendParts(endpoint, file, offset, length, repeatable, signal);
  const watching = new AbortController();
  failWhenOver(endpoint, watching.signal);
  try {
    await sendParts(endpoint, file, offset, length, repeatable, signal);
  } finally {
    watching.abort();
  }
}

async function sendParts(
  endpoint: Endpoint,
  file: number,
  offset: number,
  length: number,
  repeatable: boolean,
  signal: AbortSignal,
): Promise<void> {
  const { loop, sender, fd: socket } = endpoint;
  let size = repeatable ? cachedSize(loop, file) : -1;
  let copied: CopiedParts | null = null;
  let waited = false;
  for (let at = 0; at < length; ) {
    // By now the socket may be closed, and another file may have its number.
    throwIfAborted(signal);
    const left = length - at;
    const sent = sendCached(loop, socket, file, offset + at, Math.min(left, size - offset - at));
    if (sent > 0) {
      at += sent;
      sender.bytesWritten += sent;
      waited = false;
      continue;
    }
    if (sent === LATER) {
      await nextTurn(loop);
      continue;
    }
    // A socket can be both full and writable: when it has an error that a send does not report. It is polled once.
    if (sent === FULL && !waited) {
      waited = true;
      await untilWritable(loop, socket, signal);
      continue;
    }
    waited = false;
    if (sent === UNKNOWN) size = -1;
    else if (offset + at === size) {
      size = cachedSize(loop, file);
      if (offset + at === size) return;
      continue;
    }
    copied ??= new CopiedParts(endpoint, file, repeatable);
    const taken = await copied.send(offset + at, left, signal);
    if (taken === END) return;
    at += taken;
  }
}
