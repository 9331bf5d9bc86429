import { AbortError } from '../../loop/waiting/abort.js';
import type { WaitOptions } from '../../loop/waiting/waiter.js';
import type { UasyncError } from '../../sys/errors/errors.js';
import { CallLimit } from '../socket/call-limit.js';
import type { Sender } from './sender.js';

/** Ends a hold of the sending side early: by the caller's signal and timeout, or a reset. */
class HoldLimit extends CallLimit {
  readonly #sender: Sender;
  readonly #abort = new AbortController();

  constructor(sender: Sender, options: WaitOptions) {
    super(options, sender.referenced);
    this.#sender = sender;
  }

  /** The signal for its operations. */
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

  /** The caller's error for an operation's error. */
  reasonFor(error: Error): Error {
    return error instanceof AbortError ? (this.#why() ?? error) : error;
  }
}

/**
 * Lets `send` use the socket once earlier writes have been taken; resolves to the number of bytes that it has sent,
 * according to `sender.bytesWritten`.
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
      // A later send does not get an error that this one has reported.
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
