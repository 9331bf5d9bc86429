/** Linked entries: operations that are submitted together, and that the kernel runs one after the other. */

import type { Loop } from '../../loop/loop.js';
import type { Block, BlockWaiter } from '../../loop/memory/blocks.js';
import { failureOf } from '../../loop/operation/failure.js';
import { Operation, PromiseOperation } from '../../loop/operation/operation.js';
import type { Sqe } from '../../ring/sqe/index.js';
import { isCancelled, isInterrupted } from '../../sys/abi/errno.js';
import { closedError } from '../../sys/errors/errors.js';
import { pathText } from '../arguments.js';
import { type DirectWaiter, giveDirect, takeDirect } from '../handle/direct-files.js';

/** One operation of a chain. */
class Step extends Operation {
  res = 0;

  /** The number of bytes transferred, 0 if it was interrupted, or a negative errno. */
  get moved(): number {
    return isInterrupted(this.res) ? 0 : this.res;
  }

  readonly #done: (step: Step) => void;

  constructor(loop: Loop, done: (step: Step) => void) {
    super(loop);
    this.#done = done;
  }

  override get kind(): string {
    return 'File';
  }

  override get eager(): boolean {
    return true;
  }

  override get syscall(): string {
    return 'open';
  }

  complete(res: number): void {
    this.res = res;
    this.#done(this);
  }
}

/**
 * A file that is opened, used and closed for one call: it is opened as a registered file and used in one chain, with
 * one submission, and closed in the next.
 */
export abstract class FileChain<T> extends PromiseOperation<T> implements BlockWaiter, DirectWaiter {
  protected path: string | Uint8Array = '';
  /** The registered file; -1 when it no longer belongs to this call. */
  protected file = -1;
  protected block: Block | null = null;
  #pending = 0;
  readonly #open = new Step(this.loop, () => this.#stepDone());
  protected readonly first = new Step(this.loop, () => this.#stepDone());
  protected readonly second = new Step(this.loop, () => this.#stepDone());
  readonly #close = new Step(this.loop, () => this.#finish());

  /** Never in flight itself; its steps are. */
  override complete(): void {}

  protected begin(path: string | Uint8Array): Promise<T> {
    this.path = path;
    const promise = this.promise();
    takeDirect(this.loop, this);
    return promise;
  }

  placeGiven(index: number): void {
    this.file = index;
    this.blockReleased();
  }

  blockReleased(): void {
    try {
      const block = this.loop.blocks.acquire(this.blockSize, this.blockLeast);
      if (block === null) {
        this.loop.blocks.wait(this);
        return;
      }
      this.block = block;
      this.start(block);
    } catch (error) {
      this.fail(error);
    }
  }

  protected abstract get blockSize(): number;

  /** The size of the smallest block that will do. */
  protected get blockLeast(): number {
    return 0;
  }

  /** Calls `open` and starts the steps after it. */
  protected abstract start(block: Block): void;
  /** The steps have run on the open file: calls `close` or passes `file` on. */
  protected abstract used(): void;
  /** The file has been closed. */
  protected abstract closed(): void;
  /** It is no longer needed. */
  protected abstract giveBack(): void;

  /** Starts the chain, with this many steps after the opening. */
  protected open(flags: number, mode: number, steps: number): Sqe {
    this.#pending = 1 + steps;
    this.loop.reserve(1 + steps);
    return this.loop.start(this.#open).openPathDirect(this.path, flags, mode, this.file).link();
  }

  protected close(): void {
    this.loop.start(this.#close).closeDirect(this.file);
  }

  #stepDone(): void {
    if (--this.#pending !== 0) return;
    const { res } = this.#open;
    if (isInterrupted(res) && !this.loop.closing) {
      this.#again();
      return;
    }
    if (res >= 0 && !this.loop.closing) this.used();
    else if (res >= 0 || (isCancelled(res) && this.loop.closing)) this.fail(closedError('The loop'));
    else this.fail(failureOf(res, 'open', { path: pathText(this.path) }));
  }

  /** The file could not be opened, and the other steps have not started. */
  #again(): void {
    try {
      this.start(this.block!);
    } catch (error) {
      this.fail(error);
    }
  }

  #finish(): void {
    try {
      this.closed();
      this.end();
    } catch (error) {
      this.fail(error);
    }
  }

  protected override fail(error: unknown): void {
    this.end();
    super.fail(error);
  }

  /** Releases everything but the promise. */
  protected end(): void {
    if (this.block !== null) this.loop.blocks.release(this.block);
    this.block = null;
    if (this.file >= 0) giveDirect(this.loop, this.file);
    this.file = -1;
    this.giveBack();
  }
}
