/** The signal and the timeout of datagrams in flight. */
import type { WaitOptions } from '../../loop/waiting/waiter.js';
import type { ErrorDetails } from '../../sys/errors/errors.js';
import { CallLimit } from '../socket/call-limit.js';

/** A send that can be cancelled. */
export interface LimitedSend {
  cancel(): void;
}

/** A caller's signal and timeout for one datagram, or for all of a list. */
export class SendLimit extends CallLimit {
  readonly #details: ErrorDetails | undefined;
  readonly #sends = new Set<LimitedSend>();

  /** @param details the address in errors. */
  constructor(options: WaitOptions, keepsAlive: boolean, details: ErrorDetails | undefined) {
    super(options, keepsAlive);
    this.#details = details;
  }

  add(send: LimitedSend): void {
    this.#sends.add(send);
  }

  delete(send: LimitedSend): void {
    this.#sends.delete(send);
  }

  override onAbort(): void {
    // A send that ends meanwhile may belong to another call by the time of its turn.
    for (const send of [...this.#sends]) if (this.#sends.has(send)) send.cancel();
  }

  /** The reason for cancelling, if there is one. */
  error(): Error | null {
    return this.reason('send', this.#details);
  }
}

/** The limit in the options, if there is one. */
export function sendLimit(
  options: WaitOptions | undefined,
  keepsAlive: boolean,
  details?: ErrorDetails,
): SendLimit | undefined {
  if (options === undefined || (options.signal === undefined && options.timeout === undefined))
    return undefined;
  return new SendLimit(options, keepsAlive, details);
}
