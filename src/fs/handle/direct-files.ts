/**
 * Registered files. They can be opened, read and closed in one chain, because their index is known before they are
 * opened; and they are cheaper for the kernel than descriptors.
 */
import type { Loop } from '../../loop/loop.js';
import { perLoop } from '../../loop/per-loop.js';
import { type FileRef, registeredFile } from '../../ring/sqe/file-ref.js';
import { onFd } from '../operations.js';
import { isPrivate, readPrivate } from './private-read.js';
import { readBytes, type TransferOwner, writeBytes } from './transfer.js';

/** How many may be open at once, within RLIMIT_NOFILE. Further calls wait. */
const COUNTS = [1024, 256, 64, 16];

/** The maximum number of operations in a chain, including the opening. */
const CHAIN_MAX = 3;

/** A call that waits for a slot. */
export interface DirectWaiter {
  /** It gets this slot. It must not throw. */
  placeGiven(index: number): void;
}

class DirectFiles {
  readonly count: number;
  readonly #free: number[] = [];
  #waiters: DirectWaiter[] = [];
  /** The number of waiters that have been served. */
  #served = 0;
  #serving = false;

  constructor(loop: Loop) {
    this.count = register(loop);
    for (let index = this.count - 1; index >= 0; index--) this.#free.push(index);
  }

  take(waiter: DirectWaiter): void {
    const index = this.#free.pop();
    if (index === undefined) this.#waiters.push(waiter);
    else waiter.placeGiven(index);
  }

  give(index: number): void {
    this.#free.push(index);
    // A waiter that fails at once releases its slot within this call.
    if (this.#serving) return;
    this.#serving = true;
    while (this.#served < this.#waiters.length && this.#free.length !== 0) {
      this.#waiters[this.#served++]!.placeGiven(this.#free.pop()!);
    }
    if (this.#served === this.#waiters.length) {
      this.#waiters = [];
      this.#served = 0;
    }
    this.#serving = false;
  }
}

/** Registers an empty table of files; returns its size. */
function register(loop: Loop): number {
  if (!loop.canChain(CHAIN_MAX)) return 0;
  for (const count of COUNTS) {
    try {
      loop.registerFiles(count);
      return count;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EMFILE') return 0;
    }
  }
  return 0;
}

const filesOf = perLoop(loop => new DirectFiles(loop));

/** Whether the kernel can open registered files. */
export function hasDirect(loop: Loop): boolean {
  return filesOf(loop).count !== 0;
}

/** Gives `waiter` a free slot, now or when there is one. */
export function takeDirect(loop: Loop, waiter: DirectWaiter): void {
  filesOf(loop).take(waiter);
}

/** Releases a slot, once its file has been closed. */
export function giveDirect(loop: Loop, index: number): void {
  filesOf(loop).give(index);
}

/** An open registered file. */
export class DirectFile implements TransferOwner {
  readonly hasPosition = true;
  readonly unbuffered = false;
  readonly appends = false;
  readonly #loop: Loop;
  readonly #index: number;
  readonly #file: FileRef;

  constructor(loop: Loop, index: number) {
    this.#loop = loop;
    this.#index = index;
    this.#file = registeredFile(index);
  }

  /** Reads at the current position, into memory that no other code can reach. */
  async read(bytes: Buffer, offset: number, length: number): Promise<number> {
    const loop = this.#loop;
    if (isPrivate(length)) return readPrivate(loop, this.#file, bytes, offset, length, -1);
    const transfer = { buffer: null, bytes, offset, length, position: -1 };
    const read = readBytes(loop, this, this.#file, transfer, bytes.length);
    return (await read).bytesRead;
  }

  /** Writes at `position`, unless the file was opened for appending. */
  async write(bytes: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    const loop = this.#loop;
    const transfer = { buffer: null, bytes, offset, length, position };
    const write = writeBytes(loop, this, this.#file, transfer, bytes.length);
    return (await write).bytesWritten;
  }

  // The file is not closed before its transfers have ended.
  transferEnded(): void {}
  writeEnded(): void {}

  async close(): Promise<void> {
    try {
      await onFd(this.#loop, 'close', sqe => sqe.closeDirect(this.#index));
    } finally {
      giveDirect(this.#loop, this.#index);
    }
  }
}
