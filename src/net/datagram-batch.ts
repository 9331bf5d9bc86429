import { promiseOf, type Settler } from '../loop/settler.js';
import { UasyncError } from '../ring/errors.js';
import type { SendOutcome } from './datagram-sender.js';

/** Datagrams of a `sendMany` that were not sent. */
export interface SendFailure {
  /** Which of the list. */
  index: number;
  error: Error;
}

/**
 * The rejection of a `sendMany` of which not all was taken. It has the `code`, `errno`, `syscall`,
 * `address` and `port` of the first failure, which is its `cause`.
 */
export class SendManyError extends UasyncError {
  /** How many datagrams the kernel has taken. */
  readonly sent: number;
  /** The others, in the order of the list. */
  readonly failures: readonly SendFailure[];

  constructor(sent: number, failures: SendFailure[]) {
    const [{ error }] = failures as [SendFailure];
    const { code = 'ERR_SEND', message } = error as UasyncError;
    super(code, `${sent} of ${sent + failures.length} datagrams were sent; ${message}`, { cause: error });
    const { errno, syscall, address, port, path } = error as UasyncError;
    Object.assign(this, JSON.parse(JSON.stringify({ errno, syscall, address, port, path })));
    this.sent = sent;
    this.failures = failures;
  }
}

/** A `sendMany` under way. */
export class Batch implements SendOutcome, Settler<number> {
  resolve!: Settler<number>['resolve'];
  reject!: (error: unknown) => void;
  #left: number;
  #sent = 0;
  #failures: SendFailure[] | null = null;

  constructor(count: number) {
    this.#left = count;
  }

  promise(): Promise<number> {
    return promiseOf(this);
  }

  sent(): void {
    this.#sent++;
    this.#done();
  }

  failed(index: number, error: Error): void {
    this.#failures ??= [];
    this.#failures.push({ index, error });
    this.#done();
  }

  #done(): void {
    if (--this.#left !== 0) return;
    if (this.#failures === null) this.resolve(this.#sent);
    else
      this.reject(
        new SendManyError(
          this.#sent,
          this.#failures.sort((a, b) => a.index - b.index),
        ),
      );
  }
}
