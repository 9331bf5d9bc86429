import * as abi from '../ring/abi.js';
import { checkFunction, checkSignal } from '../ring/check.js';
import type { Sqe } from '../ring/sqe/index.js';
import { AbortableOperation, throwIfAborted } from './abort.js';
import type { Loop } from './loop.js';

/** Names of operations for errors, in lower case: 'read', 'openat' … */
const opNames: string[] = [];
for (const [name, value] of Object.entries(abi)) {
  if (name.startsWith('OP_') && name !== 'OP_LAST' && name !== 'OP_SUPPORTED') {
    opNames[value] = name.slice(3).toLowerCase();
  }
}

class RawOperation extends AbortableOperation<number> {
  #opcode = 0;
  /** Buffers that the kernel uses until the last completion. */
  kept: ArrayBufferView[] = [];

  override get syscall(): string {
    return opNames[this.#opcode] ?? `op ${this.#opcode}`;
  }

  run(prepare: (sqe: Sqe) => void, signal: AbortSignal | undefined): Promise<number> {
    const { loop } = this;
    const sqe = loop.start(this);
    const low = sqe.words[sqe.at + 8]!;
    const high = sqe.words[sqe.at + 9]!;
    const { at, words } = sqe;
    try {
      prepare(sqe);
    } catch (error) {
      // The entry is taken already: it goes in as a NOP, and settles a promise that nobody has.
      sqe.at = at;
      sqe.nop().setFlags(0).userDataWords(low, high);
      this.promise();
      throw error;
    }
    this.#opcode = words[at]! & 0xff;
    // What came back under another user_data, or not at all, could never be delivered.
    words[at] = words[at]! & ~(abi.SQE_CQE_SKIP_SUCCESS << 8);
    words[at + 8] = low;
    words[at + 9] = high;
    this.kept = sqe.kept;
    sqe.kept = [];
    this.watch(signal);
    return this.promise();
  }

  complete(res: number, flags: number): void {
    if (flags & abi.CQE_F_MORE) {
      if (res >= 0) this.resolve(res);
      return;
    }
    this.kept = [];
    const error = this.settle(res);
    if (error === undefined) this.resolve(res);
    else this.reject(error);
  }
}

/** See `Loop.submit`. */
export async function submitRaw(
  loop: Loop,
  prepare: (sqe: Sqe) => void,
  options?: { signal?: AbortSignal },
): Promise<number> {
  checkFunction('prepare', prepare);
  const signal = checkSignal(options?.signal);
  throwIfAborted(signal);
  return new RawOperation(loop).run(prepare, signal);
}
