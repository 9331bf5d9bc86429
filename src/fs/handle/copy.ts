/** `FileHandle.copyTo`: copies bytes from one file to another, through blocks of runtime memory. */

import type { Loop } from '../../loop/loop.js';
import { BLOCK_MAX, type Block } from '../../loop/memory/blocks.js';
import { traced } from '../../loop/operation/traced.js';
import { throwIfAborted } from '../../loop/waiting/abort.js';
import { withBlock } from '../../loop/waiting/with-block.js';
import { checkInt, checkSignal } from '../../sys/check/check.js';
import { checkOptions, optionNames } from '../../sys/check/options.js';
import { readBlock, writeBlock } from './block-transfer.js';
import { SECTOR_MAX, sectorsOf } from './sectors.js';

/** The maximum number of concurrent pieces. */
const LANES = 2;

/** The part of a file to copy, and the destination. */
export interface CopyOptions {
  /** The start position in the source; default 0. */
  start?: number | undefined;
  /** The number of bytes; default to the end of the source. */
  length?: number | undefined;
  /** The start position in the target; default 0. Without effect if the target was opened for appending. */
  position?: number | undefined;
  /** Aborting it rejects with an `AbortError`; a part may have been copied. */
  signal?: AbortSignal | undefined;
}

/** An open file. */
interface End {
  readonly fd: number;
  readonly hasPosition: boolean;
  readonly unbuffered: boolean;
  /** Whether writes go to its end, whatever their position. */
  readonly appends: boolean;
}

const COPY_OPTIONS = optionNames<CopyOptions>({ start: true, length: true, position: true, signal: true });

/** Throws the error of `copyTo` for wrong options. */
export function checkCopy(options: CopyOptions): void {
  checkOptions(options, COPY_OPTIONS);
  const { start, length, position, signal } = options;
  if (start !== undefined) checkInt('options.start', start, 0, Number.MAX_SAFE_INTEGER);
  if (length !== undefined) checkInt('options.length', length, 0, Number.MAX_SAFE_INTEGER);
  if (position !== undefined) checkInt('options.position', position, 0, Number.MAX_SAFE_INTEGER);
  throwIfAborted(checkSignal(signal));
}

/**
 * Copies between files; resolves to the number of bytes. The bytes pass through blocks of runtime memory: splice(2)
 * would need a pipe in between, and a worker thread for each step, without saving CPU time.
 */
export async function copyBetween(
  loop: Loop,
  source: End,
  target: End,
  options: CopyOptions,
): Promise<number> {
  return new Copy(loop, source, target, options).run();
}

class Copy {
  readonly #loop: Loop;
  readonly #source: End;
  readonly #target: End;
  readonly #start: number;
  readonly #position: number;
  readonly #signal: AbortSignal | undefined;
  /** Whether pieces have positions, so that several can be in flight. */
  readonly #positioned: boolean;
  /** The start of the next piece, and the end, relative to `start`. */
  #next = 0;
  #end: number;
  #copied = 0;
  readonly #lanes: Promise<void>[] = [];

  constructor(loop: Loop, source: End, target: End, options: CopyOptions) {
    this.#loop = loop;
    this.#source = source;
    this.#target = target;
    this.#start = options.start ?? 0;
    this.#position = options.position ?? 0;
    this.#end = options.length ?? Number.POSITIVE_INFINITY;
    this.#signal = options.signal;
    this.#positioned = source.hasPosition && target.hasPosition && !target.appends;
  }

  async run(): Promise<number> {
    const errors: unknown[] = [];
    this.#addLane();
    // The first lane may add the second.
    for (let i = 0; i < this.#lanes.length; i++) {
      await this.#lanes[i]!.catch(error => errors.push(error));
    }
    if (errors.length !== 0) throw traced(errors[0]);
    return this.#copied;
  }

  #addLane(): void {
    const lane = withBlock(this.#loop, BLOCK_MAX, SECTOR_MAX, block => this.#copyPieces(block));
    // The others stop.
    lane.catch(() => {
      this.#end = 0;
    });
    this.#lanes.push(lane);
  }

  async #copyPieces(block: Block): Promise<void> {
    while (this.#next < this.#end) {
      const at = this.#next;
      const wanted = Math.min(this.#end - at, block.bytes.length);
      if (this.#positioned) {
        this.#next += wanted;
        await this.#copyPiece(block, at, wanted);
      } else {
        const count = await this.#read(block, at, wanted);
        await this.#write(block, at, count);
        this.#next += count;
      }
    }
  }

  async #copyPiece(block: Block, at: number, wanted: number): Promise<void> {
    for (let done = 0; done < wanted && at + done < this.#end; ) {
      const count = await this.#read(block, at + done, wanted - done);
      // Files of /proc never fill a block. They are generated as they are read: two concurrent reads would each
      // generate the file from its beginning.
      if (count === wanted && this.#lanes.length < LANES && this.#next < this.#end) this.#addLane();
      await this.#write(block, at + done, count);
      done += count;
    }
  }

  async #read(block: Block, at: number, wanted: number): Promise<number> {
    throwIfAborted(this.#signal);
    const { fd, hasPosition, unbuffered } = this.#source;
    const size = unbuffered ? Math.min(sectorsOf(wanted), block.bytes.length) : wanted;
    const from = hasPosition ? this.#start + at : -1;
    const count = Math.min(wanted, await readBlock(this.#loop, fd, block, size, from, this.#signal));
    // With O_DIRECT a short read is the end, as no sector starts there.
    if (unbuffered ? count < wanted : count === 0) this.#end = Math.min(this.#end, at + count);
    return count;
  }

  async #write(block: Block, at: number, length: number): Promise<void> {
    const { fd, hasPosition } = this.#target;
    for (let done = 0; done < length; ) {
      const to = hasPosition ? this.#position + at + done : -1;
      const count = await writeBlock(
        this.#loop,
        fd,
        block,
        { from: done, length: length - done, position: to },
        this.#signal,
      );
      done += count;
      this.#copied += count;
    }
  }
}
