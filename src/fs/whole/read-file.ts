/**
 * `readFile` of a path as one submission. It does not query the file's size: a second read tells whether the first one
 * has reached the end.
 */

import type { Stats } from 'node:fs';
import type { Loop } from '../../loop/loop.js';
import type { Block } from '../../loop/memory/blocks.js';
import { allocateBuffer } from '../../loop/memory/buffer-memory.js';
import { failureOf } from '../../loop/operation/failure.js';
import { OperationPool } from '../../loop/operation/pool.js';
import { registeredFile } from '../../ring/sqe/file-ref.js';
import { POLLIN } from '../../sys/abi/flags.js';
import { closedError } from '../../sys/errors/errors.js';
import { checkSize, readRest } from '../content.js';
import { DirectFile, hasDirect } from '../handle/direct-files.js';
import { onFd } from '../operations.js';
import { statPath } from '../paths/statx.js';
import { FileChain } from './chain.js';

type Path = string | Uint8Array;
type Result = Buffer | string;
type Encoding = BufferEncoding | null | undefined;

/** The size of the block that a file is read into; most files fit. Unused pages of it take no memory. */
const FIRST = 65536;
/** The end of the block, for the read that should find nothing. */
const MORE = 512;

class ReadFileOperation extends FileChain<Result> {
  #encoding: Encoding;

  override get syscall(): string {
    return 'read';
  }

  protected override get blockSize(): number {
    return FIRST;
  }

  run(path: Path, encoding: Encoding): Promise<Result> {
    this.#encoding = encoding;
    return this.begin(path);
  }

  protected override start({ address, bytes }: Block): void {
    const { file, loop } = this;
    const first = bytes.length - MORE;
    this.open(0, 0, 2);
    // A short read would break a soft link.
    loop.start(this.first).readAt(registeredFile(file), address, first, -1).hardlink();
    loop.start(this.second).readAt(registeredFile(file), address + first, MORE, -1);
  }

  protected override used(): void {
    const count = this.first.moved;
    if (count < 0 || (count > 0 && this.second.res === 0)) this.close();
    else this.#goOn();
  }

  protected override closed(): void {
    const count = this.first.res;
    if (count < 0) throw failureOf(count, 'read');
    const { bytes } = this.block!;
    this.resolve(this.#encoding ? bytes.toString(this.#encoding, 0, count) : copy(bytes, count));
  }

  /** There is more, or nothing at all: the file stays open, and the caller continues with it and with the block. */
  #goOn(): void {
    const encoding = this.#encoding;
    const rest = readOn(this.loop, this.path, this.file, this.block!, this.first.moved, this.second.moved);
    this.file = -1;
    this.block = null;
    this.resolve((encoding ? rest.then(all => all.toString(encoding)) : rest) as never);
    this.end();
  }

  protected override giveBack(): void {
    pool.give(this);
  }
}

/** A copy in its own memory, as Node's are: users access its `buffer`. */
function copy(bytes: Buffer, length: number): Buffer {
  const result = allocateBuffer(length);
  bytes.copy(result, 0, 0, length);
  return result;
}

const pool = new OperationPool(ReadFileOperation);

/** Reads the file at `path`. null if the kernel has no registered files: then it needs a descriptor. */
export function readPath(loop: Loop, path: Path, encoding: Encoding): Promise<Result> | null {
  return hasDirect(loop) ? pool.take(loop).run(path, encoding) : null;
}

/**
 * Reads the rest of a registered file, and closes it.
 * @param block the data read so far: `count` bytes, and `more` for the end of the block or the error there.
 */
async function readOn(
  loop: Loop,
  path: Path,
  index: number,
  block: Block,
  count: number,
  more: number,
): Promise<Buffer> {
  const file = new DirectFile(loop, index);
  const length = count + more;
  let lent = true;
  const giveBack = (): void => {
    lent = false;
    loop.blocks.release(block);
  };
  const moveTo = (bytes: Buffer): Buffer => {
    const behind = block.bytes.length - MORE;
    block.bytes.copy(bytes, 0, 0, count);
    block.bytes.copy(bytes, count, behind, behind + more);
    giveBack();
    return bytes;
  };
  try {
    if (more < 0) throw failureOf(more, 'read');
    // The path may name another file by now, so this size is only an estimate.
    const asked = statPath(loop, path, true, false).catch(() => undefined);
    // Other calls may wait for this block, and all may be held here.
    const head = loop.blocks.short ? moveTo(allocateBuffer(length)) : null;
    const stats = (await asked) as Stats | undefined;
    // When the loop closes, the block is gone.
    if (loop.closing) throw closedError('The loop');
    const size = stats?.isFile() ? stats.size : 0;
    checkSize(size);
    const bytes = allocateBuffer(Math.max(size, length));
    if (head === null) moveTo(bytes);
    else head.copy(bytes);
    // It was opened without waiting: a FIFO without a writer looks like an empty file.
    if (length === 0 && !stats?.isFile()) {
      await onFd(loop, 'read', sqe => sqe.pollAdd(index, POLLIN).fixedFile());
    }
    return await readRest((into, offset, room) => file.read(into, offset, room), bytes, length);
  } finally {
    if (lent) giveBack();
    await file.close();
  }
}
