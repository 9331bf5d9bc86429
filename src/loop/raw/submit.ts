import { nameOf } from '../../ring/abi/op-names.js';
import { isZeroCopy, opensDescriptor, opOf } from '../../ring/sqe/draft.js';
import type { Sqe } from '../../ring/sqe/index.js';
import { libc } from '../../sys/libc/libc.js';
import type { Loop } from '../loop.js';
import { hasMore } from '../operation/completion.js';
import { AbortableOperation, signalOf, throwIfAborted } from '../waiting/abort.js';
import { startDraft, withDraft } from './draft.js';

class RawOperation extends AbortableOperation<number> {
  #opcode = 0;
  /** Whether a result was reported before the last completion. */
  #answered = false;
  /** That result if it is a failure, as of a zero-copy send. */
  #failure = 0;
  /** Buffers that the kernel uses until the last completion. */
  kept: ArrayBufferView[] = [];

  override get syscall(): string {
    return nameOf(this.#opcode);
  }

  /** Starts the contents of `draft`. */
  run(draft: Sqe, signal: AbortSignal | undefined): Promise<number> {
    startDraft(this, draft);
    this.#opcode = opOf(draft);
    this.kept = draft.kept;
    const promise = this.promise();
    this.watch(signal);
    return promise;
  }

  complete(res: number, flags: number): void {
    // Only the first result is wanted.
    if (this.#answered && res >= 0 && opensDescriptor(this.#opcode)) libc().close(res);
    if (hasMore(flags)) {
      if (!this.#answered) this.#answer(res);
      return;
    }
    this.kept = [];
    this.loop.eventfdWaits--;
    this.conclude(this.#failure < 0 ? this.#failure : res, res);
  }

  #answer(res: number): void {
    this.#answered = true;
    if (res >= 0) this.resolve(res);
    else this.#failure = res;
    // A multishot operation would go on for ever; a zero-copy send completes once more when its bytes have left.
    if (!isZeroCopy(this.#opcode)) this.loop.cancelForSure(this);
  }
}

/** See `Loop.submit`. */
export async function submitRaw(
  loop: Loop,
  prepare: (sqe: Sqe) => void,
  options?: { signal?: AbortSignal },
): Promise<number> {
  const signal = signalOf(options);
  throwIfAborted(signal);
  return withDraft(loop, prepare, draft => new RawOperation(loop).run(draft, signal));
}
