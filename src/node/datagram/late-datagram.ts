import type { SendOutcome } from '../../net/datagram/send-operation.js';
import { ECANCELED } from '../../sys/abi/errno.js';
import type { UasyncError } from '../../sys/errors/errors.js';
import type { RequestDone } from '../request-done.js';

/** Counts datagrams that the kernel has not taken. */
interface Counter {
  left(length: number): void;
}

/** A datagram that was not sent at once. */
export class LateDatagram implements SendOutcome {
  readonly #handle: Counter;
  /** Null if the socket has no callback for it. */
  readonly #done: RequestDone | null;

  constructor(handle: Counter, done: RequestDone | null) {
    this.#handle = handle;
    this.#done = done;
  }

  sent(length: number): void {
    this.#handle.left(length);
    this.#done?.settle(0);
  }

  failed(length: number, error: Error): void {
    this.#handle.left(length);
    this.#done?.settle((error as UasyncError).errno ?? ECANCELED);
  }
}
