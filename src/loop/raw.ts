import { nameOf } from '../ring/op-names.js';
import { opOf } from '../ring/sqe/draft.js';
import type { Sqe } from '../ring/sqe/index.js';
import { AbortableOperation, signalOf, throwIfAborted } from './abort.js';
import { hasMore } from './completion.js';
import { startDraft, withDraft } from './draft.js';
import type { Loop } from './loop.js';

class RawOperation extends AbortableOperation<number> {
  #opcode = 0;
  /** A failure that was reported before the last completion, as a zero-copy send does. */
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
    if (hasMore(flags)) {
      if (res >= 0) this.resolve(res);
      else this.#failure = res;
      return;
    }
    this.kept = [];
    this.loop.eventfdWaits--;
    this.conclude(this.#failure < 0 ? this.#failure : res, res);
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
