/** One datagram that is being sent, as an operation of the loop. */
import type { Block } from '../../loop/memory/blocks.js';
import type { Deferred } from '../../loop/operation/deferred.js';
import { Operation } from '../../loop/operation/operation.js';
import { OperationPool } from '../../loop/operation/pool.js';
import { rejectTraced } from '../../loop/operation/traced.js';
import { EAGAIN, EINTR } from '../../sys/abi/errno.js';
import type { Destination } from './destination.js';
import type { LimitedSend, SendLimit } from './send-limit.js';

const NO_BYTES = new Uint8Array(0);
const NO_CONTROL = Buffer.alloc(0);

/** Receives the result of a datagram. */
export interface SendOutcome {
  sent(index: number, bytes: number): void;
  failed(index: number, error: Error): void;
}

/** The sender of a datagram. */
export interface SendOwner {
  /** The kernel has taken one of `length` bytes. */
  validated(destination: Destination, length: number, changes: number): void;
  /** The kernel had no room for it, or was interrupted; false if it has failed. */
  retry(send: DatagramSend, res: number): boolean;
  /** The kernel is done with it, and it is settled. */
  completed(send: DatagramSend, destination: Destination | null): void;
  errorOf(res: number, send: DatagramSend): Error;
  /** It was cancelled, and the kernel does not have it. */
  giveUp(send: DatagramSend): void;
}

/** One datagram, from the call until the kernel has taken it. */
export class DatagramSend extends Operation implements Deferred<number>, LimitedSend {
  resolve!: Deferred<number>['resolve'];
  reject!: (error: unknown) => void;
  sender: SendOwner | null = null;
  /** Set for one of many: gets the result instead of the promise. */
  outcome: SendOutcome | null = null;
  index = 0;
  /** The socket's change count at the start. */
  changes = 0;
  /** Its sequence number among all sends of its socket. */
  order = 0;
  block: Block | null = null;
  destination: Destination | null = null;
  /** Only kept while it may have to wait. */
  data: Uint8Array = NO_BYTES;
  /** Set if it consists of several: these are copied instead. */
  parts: readonly Uint8Array[] | null = null;
  length = 0;
  /** The datagram length that its success validates: for several in one, that of a segment. */
  validates = 0;
  control: Buffer = NO_CONTROL;
  /** Its own limit, or that of the list it belongs to. */
  limit: SendLimit | null = null;

  /** Most are taken while they are submitted: code that awaits one then continues in the same turn. */
  override get eager(): boolean {
    return true;
  }

  override get syscall(): string {
    return 'send';
  }

  complete(res: number): void {
    const sender = this.sender!;
    if ((res === EAGAIN || res === EINTR) && sender.retry(this, res)) return;
    const { destination } = this;
    if (res >= 0 && destination !== null) sender.validated(destination, this.validates, this.changes);
    this.releaseBlock();
    if (res >= 0) this.#settle(res);
    else this.fail(sender.errorOf(res, this));
    sender.completed(this, destination);
  }

  /** The kernel no longer needs its bytes. */
  releaseBlock(): void {
    this.loop.blocks.release(this.block!);
    this.block = null;
  }

  #settle(bytes: number): void {
    const { outcome } = this;
    if (outcome === null) this.resolve(bytes);
    else outcome.sent(this.index, bytes);
    this.#finish();
  }

  /** It was not sent, for this reason. */
  fail(error: Error): void {
    if (this.outcome === null) rejectTraced(this, error);
    else this.outcome.failed(this.index, error);
    this.#finish();
  }

  #finish(): void {
    if (this.limit !== null) {
      this.limit.delete(this);
      if (this.outcome === null) this.limit.end();
      this.limit = null;
    }
    this.outcome = null;
    this.destination = null;
    this.data = NO_BYTES;
    this.parts = null;
    this.control = NO_CONTROL;
    this.sender = null;
    this.subject = null;
    sends.give(this);
  }

  /** Cancels it if that is still possible. */
  cancel(): void {
    if (this.slot >= 0) this.loop.cancel(this);
    else this.sender!.giveUp(this);
  }
}

export const sends = new OperationPool(DatagramSend);
