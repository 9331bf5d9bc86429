/** Combines small writes at the current position that wait for each other. */
import { BLOCK_MAX } from '../../loop/memory/blocks.js';
import { type Deferred, promiseOf } from '../../loop/operation/deferred.js';
import type { WriteResult } from './transfer.js';
import type { Transfer } from './transfer-arguments.js';

type Result = WriteResult<ArrayBufferView | string>;
type WriteCall = (transfer: Transfer, size: number) => Promise<Result>;

/** One call that waits for its turn. */
class WaitingWrite implements Deferred<Result> {
  resolve!: (result: Result) => void;
  reject!: (error: unknown) => void;
  readonly transfer: Transfer;
  readonly size: number;

  constructor(transfer: Transfer) {
    this.transfer = transfer;
    this.size = transfer.bytes.length;
  }
}

/**
 * Combines the writes at a file's current position that wait for another one: the many small writes of a log cost
 * little more than one. Each gets its own result, or its own error.
 */
export class WriteBatch {
  readonly #write: WriteCall;
  readonly #waiting: WaitingWrite[] = [];
  #length = 0;

  constructor(write: WriteCall) {
    this.#write = write;
  }

  /** Whether it can take that many more bytes. */
  hasRoom(length: number): boolean {
    return this.#length + length <= BLOCK_MAX;
  }

  add(transfer: Transfer): Promise<Result> {
    const waiting = new WaitingWrite(transfer);
    this.#waiting.push(waiting);
    this.#length += transfer.length;
    return promiseOf(waiting);
  }

  /** Its turn has come: no more writes may be added. */
  async run(): Promise<void> {
    const waiting = this.#waiting;
    let written = 0;
    if (waiting.length > 1 && waiting.every(({ transfer, size }) => transfer.bytes.length === size)) {
      const bytes = Buffer.concat(
        waiting.map(({ transfer: { bytes, offset, length } }) => bytes.subarray(offset, offset + length)),
      );
      const all = { buffer: bytes, bytes, offset: 0, length: bytes.length, position: -1 };
      // Each write whose bytes were not written meets the error again.
      const result = await this.#write(all, bytes.length).catch(() => undefined);
      written = result?.bytesWritten ?? 0;
    }
    for (const one of waiting) {
      const { buffer, length } = one.transfer;
      const count = Math.min(length, written);
      written -= count;
      if (count > 0) one.resolve({ bytesWritten: count, buffer });
      else await this.#write(one.transfer, one.size).then(one.resolve, one.reject);
    }
  }
}
