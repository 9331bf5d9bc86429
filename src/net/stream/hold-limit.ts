import { AbortError } from '../../loop/abort.js';
import type { WaitOptions } from '../../loop/waiter.js';
import type { UasyncError } from '../../ring/errors.js';
import { CallLimit } from '../socket/call-limit.js';
import type { Sender } from './sender.js';

/** What may end a hold of the sending side before its time: the caller's signal and timeout, or a reset. */
export class HoldLimit extends CallLimit {
  readonly #sender: Sender;
  readonly #abort = new AbortController();

  constructor(sender: Sender, options: WaitOptions) {
    super(options);
    this.#sender = sender;
  }

  /** Of the operations that it consists of. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** The connection is reset. */
  readonly giveUp = (): void => this.#abort.abort();

  override onAbort(): void {
    this.#sender.unhold(this.giveUp, this.#why()!);
    this.#abort.abort();
  }

  #why(): UasyncError | null {
    return this.reason('write', undefined);
  }

  /** What the caller is told of an operation's error. */
  reasonFor(error: Error): Error {
    return error instanceof AbortError ? (this.#why() ?? error) : error;
  }
}

/**
 * Has `send` use the socket once what was written before has been taken; resolves to the number of bytes that
 * it has sent, by `sender.bytesWritten`.
 */
export async function whileHeld(
  sender: Sender,
  options: WaitOptions,
  send: (signal: AbortSignal) => Promise<void>,
): Promise<number> {
  const limit = new HoldLimit(sender, options);
  try {
    await sender.hold(limit.giveUp);
    const before = sender.bytesWritten;
    try {
      await send(limit.signal);
    } catch (error) {
      const failure = sender.error ?? limit.reasonFor(error as Error);
      // What a send was told of the socket it is not told twice.
      const broken = sender.bytesWritten !== before || (error as UasyncError).syscall === 'send';
      sender.release(broken ? failure : undefined);
      throw failure;
    }
    sender.release();
    return sender.bytesWritten - before;
  } finally {
    limit.end();
  }
}
