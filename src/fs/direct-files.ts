/**
 * Registered files: opened, read and closed in chains of one submission, since their numbers are known
 * before they are opened; and cheaper for the kernel than descriptors.
 */
import type { Loop } from '../loop/loop.js';
import { OP_SOCKET } from '../ring/abi.js';
import { onFd } from './operations.js';
import { readBytes, type TransferOwner, writeBytes } from './transfer.js';

/** So many may be open at once; what comes beyond takes descriptors. */
const COUNT = 1024;

class DirectFiles {
  readonly loop: Loop;
  readonly #free: number[] = [];

  constructor(loop: Loop) {
    this.loop = loop;
    // Tables that begin empty came with 5.19, as did this operation.
    if (!loop.ops.has(OP_SOCKET)) return;
    try {
      loop.ring.registerFilesSparse(COUNT);
    } catch {
      // RLIMIT_NOFILE may be lower.
      return;
    }
    for (let index = COUNT - 1; index >= 0; index--) this.#free.push(index);
  }

  take(): number {
    return this.#free.pop() ?? -1;
  }

  give(index: number): void {
    this.#free.push(index);
  }
}

let last: DirectFiles | undefined;

function filesOf(loop: Loop): DirectFiles {
  if (last?.loop !== loop) last = new DirectFiles(loop);
  return last;
}

/** The index of a free place, or -1. */
export function takeDirect(loop: Loop): number {
  return filesOf(loop).take();
}

/** Gives a place back, once the file in it has been closed. */
export function giveDirect(loop: Loop, index: number): void {
  if (!loop.closed) filesOf(loop).give(index);
}

/** An open registered file. */
export class DirectFile implements TransferOwner {
  readonly hasPosition = true;
  readonly #loop: Loop;
  readonly #index: number;

  constructor(loop: Loop, index: number) {
    this.#loop = loop;
    this.#index = index;
  }

  /** At the current position. */
  async read(bytes: Buffer, offset: number, length: number): Promise<number> {
    const loop = this.#loop;
    const read = readBytes(loop, this, ~this.#index, null, bytes, bytes.length, offset, length, -1);
    return (await read).bytesRead;
  }

  /** At `position`, unless it was opened to append. */
  async write(bytes: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    const loop = this.#loop;
    const write = writeBytes(loop, this, ~this.#index, null, bytes, bytes.length, offset, length, position);
    return (await write).bytesWritten;
  }

  /** Nobody closes it before that. */
  transferEnded(): void {}

  async close(): Promise<void> {
    await onFd(this.#loop, 'close', sqe => sqe.closeDirect(this.#index));
    giveDirect(this.#loop, this.#index);
  }
}
