import { closeSync, openSync } from 'node:fs';
import { EAGAIN, ECANCELED, EINTR } from '../../sys/abi/errno.js';
import { SO_LINGER, SOL_SOCKET } from '../../sys/abi/sockets.js';
import { assert } from '../../sys/errors/assert.js';
import { systemError } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';
import { isMainThread } from '../../sys/main-thread.js';
import type { Loop } from '../loop.js';
import { PromiseOperation } from '../operation/operation.js';
import { OperationPool } from '../operation/pool.js';
import { STDIO_MAX } from './owned-descriptors.js';

class CloseOperation extends PromiseOperation<void> {
  #fd = -1;
  #waits = false;

  override get syscall(): string {
    return 'close';
  }

  /** @param waits whether it may block: a worker thread of the kernel does it. */
  run(fd: number, waits: boolean): Promise<void> {
    const { loop } = this;
    this.#fd = fd;
    this.#waits = waits;
    const sqe = loop.start(this).close(fd);
    if (waits) sqe.async();
    // It must be closed exactly once, and a worker may be terminated at any time.
    if (!isMainThread) loop.flushClosing(fd);
    return this.promise();
  }

  complete(res: number): void {
    if (res === ECANCELED) {
      // Nothing has been done: the kernel has no thread for it, or the loop ends. The descriptor must not stay open. A
      // loop that has stopped waiting leaves it to the kernel: by the time it is free, another file may have the
      // number.
      res = this.loop.closed ? 0 : closeWithoutWaiting(this.#fd, this.#waits);
    }
    // An interrupted close has closed the descriptor nevertheless.
    if (res < 0 && res !== EINTR) this.reject(systemError(res, 'close'));
    else this.resolve();
    this.giveBack();
  }

  protected giveBack(): void {
    socketCloses.give(this);
  }
}

class CloseFileOperation extends CloseOperation {
  override get eager(): boolean {
    return true;
  }

  protected override giveBack(): void {
    fileCloses.give(this);
  }
}

const CLOSED = Promise.resolve();

/** struct linger: off. socket(7) */
const NO_LINGER = new Uint8Array(8);

const socketCloses = new OperationPool(CloseOperation);
const fileCloses = new OperationPool(CloseFileOperation);

/** Closes without blocking: a lingering socket continues to send in the background. */
function closeWithoutWaiting(fd: number, lingers: boolean): number {
  if (lingers) libc().setsockopt(fd, SOL_SOCKET, SO_LINGER, NO_LINGER);
  return libc().close(fd);
}

/** Closes without a loop. */
async function closeNow(fd: number, lingers = false): Promise<void> {
  closeWithoutWaiting(fd, lingers);
}

/** Replaces a socket with the number 0, 1 or 2 by /dev/null: the next file must not be taken for standard input. */
async function closeStdio(fd: number): Promise<void> {
  const nothing = openSync('/dev/null', 'r+');
  const failed = libc().replace(fd, nothing);
  closeSync(nothing);
  if (failed < 0) throw systemError(failed, 'dup2');
}

/**
 * Closes a socket. No operation may be in flight on it. close(2)
 * @param lingers whether it has SO_LINGER, so that the close waits until its bytes have been sent.
 */
export function closeSocket(loop: Loop, fd: number, lingers = false): Promise<void> {
  assert(fd >= 0, 'A socket was closed twice');
  if (fd <= STDIO_MAX) return closeStdio(fd);
  if (!loop.closing && !lingers) {
    const res = loop.closeSocket(fd);
    if (res !== EAGAIN) return res < 0 ? Promise.reject(systemError(res, 'close')) : CLOSED;
  }
  // At once: it must be closed exactly once, and a worker may be terminated at any time.
  if (loop.closing || (!isMainThread && !lingers)) return closeNow(fd, lingers);
  return socketCloses.take(loop).run(fd, lingers);
}

/** Closes a file at once, which does not block for a local one that was only read. close(2) */
export async function closeReadFile(fd: number): Promise<void> {
  const failed = libc().close(fd);
  if (failed < 0) throw systemError(failed, 'close');
}

/**
 * Closes a file. No operation may be in flight on it. close(2)
 * @param slow whether that may take long. A worker closes it at once nevertheless: a close that waits for a thread of the
 * kernel is cancelled when the worker is terminated, and the descriptor would stay open.
 */
export function closeFile(loop: Loop, fd: number, slow = false): Promise<void> {
  assert(fd >= 0, 'A file was closed twice');
  if (loop.closing) return closeNow(fd);
  return fileCloses.take(loop).run(fd, slow && isMainThread);
}
