/**
 * `readFile` of a path as one submission: the file is opened into a registered place and read in one
 * chain. It is not asked for its size: a second read says whether the first has met the end.
 */
import type { Stats } from 'node:fs';
import type { Block, BlockWaiter } from '../loop/blocks.js';
import type { Loop } from '../loop/loop.js';
import { PromiseOperation } from '../loop/operation.js';
import { OperationPool } from '../loop/pool.js';
import * as abi from '../ring/abi.js';
import { ECANCELED } from '../ring/errno.js';
import { closedError, systemError } from '../ring/errors.js';
import { AT_FDCWD } from '../ring/sqe/paths.js';
import { pathText } from './arguments.js';
import { type Chain, Step } from './chain.js';
import { readRest } from './content.js';
import { giveDirect, takeDirect } from './direct-files.js';
import { onFd } from './operations.js';
import { statPath } from './statx.js';
import { readBytes } from './transfer.js';

type Path = string | Uint8Array;
type Result = Buffer | string;

/** The block that a file is read into; most files fit. */
const FIRST = 16384;
/** The end of the block, for the read that should find nothing. */
const MORE = 512;
const POLLIN = 1;
const OPEN = 0;
const READ = 1;
const READ_MORE = 2;
const CLOSE = 3;

class ReadFileOperation extends PromiseOperation<Result> implements Chain, BlockWaiter {
  readonly #steps = [OPEN, READ, READ_MORE, CLOSE].map(index => new Step(this.loop, this, index));
  #path: Path = '';
  #encoding: BufferEncoding | null | undefined;
  #file = -1;
  #block: Block | null = null;
  #pending = 0;
  #opened = 0;
  #count = 0;
  #more = 0;

  override get syscall(): string {
    return 'read';
  }

  /** Never in flight itself. */
  override complete(): void {}

  run(path: Path, file: number, encoding: BufferEncoding | null | undefined): Promise<Result> {
    this.#path = path;
    this.#file = file;
    this.#encoding = encoding;
    const promise = this.promise();
    this.blockReleased();
    return promise;
  }

  blockReleased(): void {
    try {
      const block = this.loop.blocks.acquire(FIRST);
      if (block === null) {
        this.loop.blocks.wait(this);
        return;
      }
      this.#block = block;
      this.#start(block);
    } catch (error) {
      this.#end();
      this.reject(error);
    }
  }

  #start({ address, bytes }: Block): void {
    const { loop } = this;
    const file = this.#file;
    const first = bytes.length - MORE;
    this.#pending = 3;
    loop.reserve(3);
    const open = loop.start(this.#steps[OPEN]!);
    open.prep(abi.OP_OPENAT, AT_FDCWD, open.path('path', this.#path), 0, 0).fileIndex(file + 1);
    open.link();
    // A short read would cut a plain link.
    loop.start(this.#steps[READ]!).prep(abi.OP_READ, file, address, first, -1).fixedFile().hardlink();
    loop
      .start(this.#steps[READ_MORE]!)
      .prep(abi.OP_READ, file, address + first, MORE, -1)
      .fixedFile();
  }

  stepDone(index: number, res: number): void {
    if (index === OPEN) this.#opened = res;
    else if (index === READ) this.#count = res;
    else if (index === READ_MORE) this.#more = res;
    if (index === CLOSE) this.#closed();
    else if (--this.#pending === 0) this.#read();
  }

  /** The chain has been run. */
  #read(): void {
    const { loop } = this;
    if (this.#opened < 0) {
      const path = this.#path;
      const { closing } = loop;
      const error =
        closing && this.#opened === ECANCELED
          ? closedError('The loop')
          : systemError(this.#opened, 'open', { path: pathText(path) });
      this.#end();
      this.reject(error);
    } else if (loop.closing) {
      this.#end();
      this.reject(closedError('The loop'));
    } else if (this.#count === 0 || (this.#count > 0 && this.#more !== 0)) {
      this.#goOn();
    } else {
      loop.start(this.#steps[CLOSE]!).closeDirect(this.#file);
    }
  }

  #closed(): void {
    const count = this.#count;
    if (count < 0) {
      this.#end();
      this.reject(systemError(count, 'read'));
      return;
    }
    const { bytes } = this.#block!;
    const encoding = this.#encoding;
    let result: Result;
    try {
      result = encoding ? bytes.toString(encoding, 0, count) : Buffer.from(bytes.subarray(0, count));
    } catch (error) {
      this.#end();
      this.reject(error);
      return;
    }
    this.#end();
    this.resolve(result);
  }

  /** There is more, or nothing at all: the file stays open, and someone else goes on. */
  #goOn(): void {
    const first = this.#block!.bytes.length - MORE;
    const head = Buffer.from(this.#block!.bytes.subarray(0, this.#count));
    const more = Buffer.from(this.#block!.bytes.subarray(first, first + Math.max(this.#more, 0)));
    const error = this.#more < 0 ? systemError(this.#more, 'read') : undefined;
    const path = this.#path;
    const file = this.#file;
    const encoding = this.#encoding;
    this.#file = -1;
    this.#end();
    const rest = readOn(this.loop, path, file, Buffer.concat([head, more]), error);
    this.resolve((encoding ? rest.then(bytes => bytes.toString(encoding)) : rest) as never);
  }

  /** Gives everything back. */
  #end(): void {
    if (this.#block !== null) this.loop.blocks.release(this.#block);
    this.#block = null;
    if (this.#file >= 0) giveDirect(this.loop, this.#file);
    this.#file = -1;
    pool.give(this);
  }
}

const pool = new OperationPool(ReadFileOperation);

/**
 * Reads the file at `path`. null where that takes an ordinary descriptor: all registered places are
 * taken, or the kernel has none.
 */
export function readPath(
  loop: Loop,
  path: Path,
  encoding: BufferEncoding | null | undefined,
): Promise<Result> | null {
  const file = takeDirect(loop);
  return file < 0 ? null : pool.take(loop).run(path, file, encoding);
}

/** Reads the rest of a registered file, and closes it. */
async function readOn(
  loop: Loop,
  path: Path,
  file: number,
  head: Buffer,
  failure: Error | undefined,
): Promise<Buffer> {
  try {
    if (failure !== undefined) throw failure;
    // By its path it may be another file by now: this is but a guess at its size.
    const stats = (await statPath(loop, path, true, false).catch(() => undefined)) as Stats | undefined;
    const size = stats?.isFile() ? stats.size : 0;
    // It was opened without waiting: a FIFO that has no writer yet looks as if it had ended.
    if (head.length === 0 && !stats?.isFile()) {
      await onFd(loop, 'read', sqe => sqe.pollAdd(file, POLLIN).fixedFile());
    }
    const owner = { hasPosition: true, transferEnded() {} };
    const read = async (bytes: Buffer, offset: number, length: number): Promise<number> =>
      (await readBytes(loop, owner, ~file, null, bytes, bytes.length, offset, length, -1)).bytesRead;
    return await readRest(read, head, size);
  } finally {
    await onFd(loop, 'close', sqe => sqe.closeDirect(file));
    giveDirect(loop, file);
  }
}
