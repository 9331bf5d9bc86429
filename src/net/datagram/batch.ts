/** `sendMany`: a list of datagrams in flight, and its result. */
import { type Deferred, promiseOf } from '../../loop/operation/deferred.js';
import { rejectTraced } from '../../loop/operation/traced.js';
import { UasyncError } from '../../sys/errors/errors.js';
import type { Destination } from './destination.js';
import { GSO_BYTES_MAX, GSO_SEGMENTS_MAX } from './gso-batch.js';
import type { SendLimit } from './send-limit.js';
import type { SendOutcome } from './send-operation.js';
import type { DatagramSender } from './sender.js';

/** Datagrams of a `sendMany` that were not sent. */
export interface SendFailure {
  /** Its index in the list. */
  index: number;
  /** Why. */
  error: Error;
}

/**
 * The rejection of a `sendMany` of which some were not sent. It has the `code`, `errno`, `syscall`, `address` and
 * `port` of the first failure, which is its `cause`.
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

/** A checked datagram of a list. */
export interface Ready {
  bytes: Uint8Array;
  /** null is the peer of a connected socket. */
  destination: Destination | null;
  control: Buffer | undefined;
}

/** A `sendMany` in progress. */
export class Batch implements SendOutcome, Deferred<number> {
  resolve!: Deferred<number>['resolve'];
  reject!: (error: unknown) => void;
  readonly #sender: DatagramSender;
  readonly #list: readonly Ready[];
  readonly #limit: SendLimit | undefined;
  /** Whether the kernel cuts what goes to it as one: Unix sockets do not. */
  readonly #cuts: boolean;
  #left: number;
  #sent = 0;
  readonly #failures: SendFailure[] = [];

  constructor(sender: DatagramSender, list: readonly Ready[], limit: SendLimit | undefined, cuts: boolean) {
    this.#sender = sender;
    this.#list = list;
    this.#limit = limit;
    this.#cuts = cuts;
    this.#left = list.length;
  }

  /** Sends all; resolves to their number. */
  run(): Promise<number> {
    const promise = promiseOf(this);
    if (this.#cuts) {
      for (const batch of this.#batches()) {
        if (batch.count === 1) this.sendAlone(batch.first);
        else this.#sender.sendSegments(batch, this.#limit);
      }
    } else {
      for (let i = 0; i < this.#list.length; i++) this.sendAlone(i);
    }
    return promise;
  }

  sendAlone(index: number): void {
    const { bytes, destination, control } = this.#list[index]!;
    this.#sender.sendFor(this, index, bytes, destination, control, this.#limit);
  }

  /**
   * Groups datagrams of one size to one destination, in their order: the kernel takes such a batch as one send, and
   * splits it (GSO). The order between destinations does not matter.
   */
  #batches(): Segments[] {
    const batches: Segments[] = [];
    const open = new Map<Destination | null, Segments>();
    const list = this.#list;
    for (let i = 0; i < list.length; i++) {
      const { bytes, destination, control } = list[i]!;
      let batch = open.get(destination);
      if (batch === undefined || control !== undefined || !batch.add(i, bytes)) {
        batch = new Segments(this, i, bytes, destination);
        batches.push(batch);
        // A datagram with its own control message is sent by itself.
        if (control !== undefined || bytes.length === 0) open.delete(destination);
        else open.set(destination, batch);
      }
    }
    return batches;
  }

  sent(): void {
    this.sentMany(1);
  }

  sentMany(count: number): void {
    this.#sent += count;
    this.#done(count);
  }

  failed(index: number, error: Error): void {
    this.#failures.push({ index, error });
    this.#done(1);
  }

  #done(count: number): void {
    this.#left -= count;
    if (this.#left !== 0) return;
    this.#limit?.end();
    if (this.#failures.length === 0) this.resolve(this.#sent);
    else
      rejectTraced(
        this,
        new SendManyError(
          this.#sent,
          this.#failures.sort((a, b) => a.index - b.index),
        ),
      );
  }
}

/**
 * Errors that may not occur when a datagram is sent by itself: longer than the route's MTU, no checksum offload, no
 * memory.
 */
const TOO_MUCH = new Set(['EINVAL', 'EIO', 'EMSGSIZE', 'ENOBUFS', 'ERR_INVALID_STATE']);

/** Datagrams that the kernel gets as one send. */
class Segments implements SendOutcome {
  readonly destination: Destination | null;
  /** The length of each. */
  readonly segmentSize: number;
  readonly first: number;
  readonly parts: Uint8Array[];
  length: number;
  readonly #batch: Batch;
  readonly #indices: number[];

  constructor(batch: Batch, index: number, bytes: Uint8Array, destination: Destination | null) {
    this.#batch = batch;
    this.#indices = [index];
    this.parts = [bytes];
    this.first = index;
    this.length = bytes.length;
    this.segmentSize = bytes.length;
    this.destination = destination;
  }

  get count(): number {
    return this.parts.length;
  }

  /** Adds a datagram; false if it does not fit. */
  add(index: number, bytes: Uint8Array): boolean {
    if (bytes.length !== this.segmentSize || this.count === GSO_SEGMENTS_MAX) return false;
    if (this.length + bytes.length > GSO_BYTES_MAX) return false;
    this.length += bytes.length;
    this.parts.push(bytes);
    this.#indices.push(index);
    return true;
  }

  sent(): void {
    this.#batch.sentMany(this.count);
  }

  failed(_: number, error: Error): void {
    const alone = TOO_MUCH.has((error as UasyncError).code);
    for (const index of this.#indices) {
      if (alone) this.#batch.sendAlone(index);
      else this.#batch.failed(index, error);
    }
  }
}
