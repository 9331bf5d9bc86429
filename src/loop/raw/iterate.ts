import type { InspectOptionsStylized } from 'node:util';
import { nameOf } from '../../ring/abi/op-names.js';
import { isSuccess, opensDescriptor, opOf } from '../../ring/sqe/draft.js';
import type { Sqe } from '../../ring/sqe/index.js';
import { isCancelled } from '../../sys/abi/errno.js';
import { checkInt, checkSignal } from '../../sys/check/check.js';
import { checkOptions, optionNames } from '../../sys/check/options.js';
import { closedError, UasyncError } from '../../sys/errors/errors.js';
import { counted, custom, shown } from '../../sys/inspect.js';
import { libc } from '../../sys/libc/libc.js';
import type { Loop } from '../loop.js';
import { bufferOf, hasBuffer, hasMore } from '../operation/completion.js';
import { failureOf } from '../operation/failure.js';
import { Operation } from '../operation/operation.js';
import { rejectTraced } from '../operation/traced.js';
import { AbortError, throwIfAborted } from '../waiting/abort.js';
import { type AbortListener, ignoreAbort, listenForAbort } from '../waiting/abort-listeners.js';
import { startDraft, withDraft } from './draft.js';
import type { Completion, IterateOptions, Iteration } from './iteration.js';

const OPTIONS = optionNames<IterateOptions>({ signal: true, highWaterMark: true });
const HIGH_WATER_MARK = 1024;

type Step = IteratorResult<Completion, undefined>;
const DONE: Step = { done: true, value: undefined };

interface Waiting {
  resolve(step: Step): void;
  reject(error: unknown): void;
}

/** See `Loop.iterate`. */
export class RawIteration extends Operation implements Iteration, AbortListener {
  #opcode = 0;
  /** Buffers that the kernel uses until the last completion. */
  kept: ArrayBufferView[] = [];
  readonly #arrived: Completion[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #highWaterMark: number;
  #signal: AbortSignal | undefined;
  /** The error that the iteration fails with, once the waiting completions are taken. */
  #error: UasyncError | undefined;
  #full = false;
  /** Whether the iteration was left: further completions are dropped. */
  #left = false;
  #ended = false;
  #onEnd: (() => void)[] = [];

  /** Starts the operation that `prepare` fills in. */
  constructor(loop: Loop, prepare: (sqe: Sqe) => void, options: IterateOptions) {
    super(loop);
    checkOptions(options, OPTIONS);
    const { highWaterMark = HIGH_WATER_MARK } = options;
    this.#highWaterMark = checkInt('options.highWaterMark', highWaterMark, 1, 2 ** 31 - 1);
    const signal = checkSignal(options.signal);
    throwIfAborted(signal);
    withDraft(loop, prepare, draft => {
      startDraft(this, draft);
      this.#opcode = opOf(draft);
      this.kept = draft.kept;
    });
    if (signal === undefined) return;
    this.#signal = signal;
    listenForAbort(signal, this);
    // `prepare` may have aborted it.
    if (signal.aborted) this.onAbort();
  }

  /** @internal */
  [custom](depth: number, options: InspectOptionsStylized): string {
    return shown(this, depth, options, this.#ended ? 'ended' : 'running', '', [
      this.syscall,
      counted(this.#arrived.length, 'completion waiting', 'completions waiting'),
      counted(this.#waiting.length, 'call waiting', 'calls waiting'),
    ]);
  }

  override get syscall(): string {
    return nameOf(this.#opcode);
  }

  /** The signal was aborted. */
  onAbort(): void {
    this.loop.cancelForSure(this);
  }

  /** A completion has come. */
  complete(res: number, flags: number): void {
    const last = !hasMore(flags);
    if (last) this.#end();
    if (this.#left) this.#discard(res);
    else if (!last || isSuccess(this.#opcode, res)) this.#deliver(res, flags);
    else this.#error = this.#failure(res);
    if (last) this.#settleAll();
  }

  #deliver(res: number, flags: number): void {
    const bufferId = hasBuffer(flags) ? bufferOf(flags) : -1;
    const completion = { res, flags, bufferId };
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      waiting.resolve({ done: false, value: completion });
      return;
    }
    this.#arrived.push(completion);
    if (this.#arrived.length < this.#highWaterMark || this.#full || this.#ended) return;
    this.#full = true;
    this.loop.cancelForSure(this);
  }

  /** Drops a result. */
  #discard(res: number): void {
    if (res >= 0 && opensDescriptor(this.#opcode)) libc().close(res);
  }

  /** The error for the last completion, if it is one. */
  #failure(res: number): UasyncError {
    if (isCancelled(res)) {
      if (this.#signal?.aborted) return new AbortError(this.#signal);
      if (this.loop.closing) return closedError('The loop');
      if (this.#full) {
        return new UasyncError(
          'ERR_QUEUE_FULL',
          `The iteration fell behind: ${this.#highWaterMark} completions wait to be taken`,
        );
      }
    }
    return failureOf(res, this.syscall);
  }

  #end(): void {
    this.#ended = true;
    this.loop.eventfdWaits--;
    this.kept = [];
    if (this.#signal !== undefined) ignoreAbort(this.#signal, this);
  }

  #settleAll(): void {
    for (const waiting of this.#waiting.splice(0)) this.#settle(waiting);
    for (const resolve of this.#onEnd.splice(0)) resolve();
  }

  /** No more completions come: reports the error, once, then the end. */
  #settle(waiting: Waiting): void {
    const error = this.#error;
    this.#error = undefined;
    if (error === undefined) waiting.resolve(DONE);
    else rejectTraced(waiting, error);
  }

  next(): Promise<Step> {
    return new Promise((resolve, reject) => {
      const completion = this.#arrived.shift();
      if (completion !== undefined) resolve({ done: false, value: completion });
      else if (this.#ended || this.#left) this.#settle({ resolve, reject });
      else this.#waiting.push({ resolve, reject });
    });
  }

  async return(): Promise<Step> {
    this.#left = true;
    this.#error = undefined;
    for (const { res } of this.#arrived.splice(0)) this.#discard(res);
    for (const waiting of this.#waiting.splice(0)) waiting.resolve(DONE);
    if (this.#ended) return DONE;
    this.loop.cancelForSure(this);
    await new Promise<void>(resolve => this.#onEnd.push(resolve));
    return DONE;
  }

  async throw(error?: unknown): Promise<Step> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}

// What users see of it.
Object.defineProperty(RawIteration, 'name', { value: 'Iteration' });
