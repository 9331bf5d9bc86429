/** The signal and the timeout of datagrams that are being sent. */
import type { WaitOptions } from '../../loop/waiter.js';
import type { ErrorDetails } from '../../ring/errors.js';
import { CallLimit } from '../socket/call-limit.js';

/** What can be given up. */
export interface LimitedSend {
  cancel(): void;
}

/** A caller's signal and timeout for one datagram, or for all of a list. */
export class SendLimit extends CallLimit {
  readonly #details: ErrorDetails | undefined;
  readonly #sends = new Set<LimitedSend>();

  /** @param details the address in errors. */
  constructor(options: WaitOptions, details: ErrorDetails | undefined) {
    super(options);
    this.#details = details;
  }

  add(send: LimitedSend): void {
    this.#sends.add(send);
  }

  delete(send: LimitedSend): void {
    this.#sends.delete(send);
  }

  override onAbort(): void {
    // One that ends meanwhile may be another call's by the time it would be its turn.
    for (const send of [...this.#sends]) if (this.#sends.has(send)) send.cancel();
  }

  /** Why what is under way is given up, if it is. */
  error(): Error | null {
    return this.reason('send', this.#details);
  }
}

/** The limit that options ask for, if they do. */
export function sendLimit(options: WaitOptions | undefined, details?: ErrorDetails): SendLimit | undefined {
  if (options === undefined || (options.signal === undefined && options.timeout === undefined))
    return undefined;
  return new SendLimit(options, details);
}
