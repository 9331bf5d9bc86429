/**
 * Reads into a new Buffer of our own, in place. Everywhere else bytes go through runtime memory, because a user's
 * buffer may be taken away meanwhile. A buffer that no other code can reach cannot: the operation keeps it until its
 * completion, and only then does the caller pass it on.
 */

import type { Loop } from '../../loop/loop.js';
import { failureOf } from '../../loop/operation/failure.js';
import { PromiseOperation } from '../../loop/operation/operation.js';
import { OperationPool } from '../../loop/operation/pool.js';
import type { FileRef } from '../../ring/sqe/file-ref.js';
import { EINTR, isCancelled } from '../../sys/abi/errno.js';
import { closedError } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';
import { isMainThread } from '../../sys/main-thread.js';

/** Below this, a copy costs less than finding the address. */
const MIN = 32 * 1024;
const NO_BYTES = Buffer.alloc(0);

/** Buffers that the kernel may still write to although the loop is closed: reads that it could not cancel. */
const abandoned: Buffer[] = [];
let inFlight = 0;
let last: Loop | undefined;

/** The heap is freed before the process ends: nothing may be written to it then. */
function finishAtExit(loop: Loop): void {
  if (last === undefined) process.once('exit', () => inFlight !== 0 && last!.close());
  last = loop;
}

class PrivateRead extends PromiseOperation<number> {
  #bytes: Buffer = NO_BYTES;
  #file = -1;
  #address = 0;
  #length = 0;
  #position = -1;

  override get kind(): string {
    return 'File';
  }

  override get eager(): boolean {
    return true;
  }

  override get syscall(): string {
    return 'read';
  }

  run(file: FileRef, bytes: Buffer, offset: number, length: number, position: number): Promise<number> {
    this.#file = file;
    this.#address = libc().addressOf(bytes.buffer) + bytes.byteOffset + offset;
    this.#length = length;
    this.#position = position;
    this.#start();
    this.#bytes = bytes;
    finishAtExit(this.loop);
    return this.promise();
  }

  #start(): void {
    this.loop.start(this).readAt(this.#file, this.#address, this.#length, this.#position);
    inFlight++;
  }

  #again(): void {
    try {
      this.#start();
    } catch (error) {
      this.#bytes = NO_BYTES;
      this.fail(error);
    }
  }

  complete(res: number): void {
    inFlight--;
    const { closing, closed } = this.loop;
    if (res === EINTR && !closing) {
      this.#again();
      return;
    }
    // This completion is not the kernel's: it may still write.
    if (closed) abandoned.push(this.#bytes);
    this.#bytes = NO_BYTES;
    if (isCancelled(res) && closing) this.fail(closedError('The loop'));
    else if (res < 0) this.fail(failureOf(res, 'read'));
    else this.resolve(res);
    reads.give(this);
  }
}

const reads = new OperationPool(PrivateRead);

/**
 * Whether to read this many bytes in place. Not in a worker, whose heap is freed at once when it is terminated.
 */
export function isPrivate(length: number): boolean {
  return length >= MIN && isMainThread;
}

/**
 * Reads up to `length` bytes into `bytes[offset]`, at `position` or (-1) the current one.
 * @param bytes memory that no other code can reach.
 */
export function readPrivate(
  loop: Loop,
  file: FileRef,
  bytes: Buffer,
  offset: number,
  length: number,
  position: number,
): Promise<number> {
  return reads.take(loop).run(file, bytes, offset, length, position);
}
