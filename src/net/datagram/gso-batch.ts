/** Collects datagrams whose sends have resolved into one packet per destination (GSO). */
import type { Loop } from '../../loop/loop.js';
import { OperationPool } from '../../loop/operation/pool.js';
import { perLoop } from '../../loop/per-loop.js';
import { EINTR, EINVAL, EIO, EMSGSIZE } from '../../sys/abi/errno.js';
import { MSG_NOSIGNAL } from '../../sys/abi/sockets.js';
import { systemError } from '../../sys/errors/errors.js';
import { CONTROL_MAX, segmentControl } from './ancillary.js';
import type { Destination } from './destination.js';
import { messageRoom, prepareSend, prepareSendmsg } from './entry.js';
import { GsoBatch, type GsoBatchOwner, type Route } from './routes.js';

/** The maximum number of segments that the kernel splits: UDP_MAX_SEGMENTS. */
export const GSO_SEGMENTS_MAX = 64;
/** Below 64 KiB, so that a batch and its headers fit into a block of that size. */
export const GSO_BYTES_MAX = 64000;
const NO_CONTROL = new Uint8Array(0);

/** The sender of the datagrams. */
export interface GsoBatchSender {
  readonly referenced: boolean;
  /** Sends a datagram of a refused batch by itself. */
  sendAgain(data: Uint8Array, destination: Destination): void;
  /** A batch, or a datagram that was sent again, was refused: its calls have resolved already. */
  refused(error: Error): void;
  /** A batch is no longer in flight. */
  settle(): void;
}

const pool = new OperationPool(GsoBatch);

/** Sends queued datagrams even if the program calls `process.exit()` in the same turn. */
export const flushAtExit = perLoop(loop => {
  // Runs before a worker's loop is closed.
  process.prependOnceListener('exit', () => {
    if (!loop.closing) loop.poll();
  });
});

/**
 * Datagrams whose calls have resolved before the kernel had them, which gets them in the next turn. A server that
 * answers datagrams one by one, and awaits each answer, so needs no system call per answer.
 */
export class GsoBatches implements GsoBatchOwner {
  inFlight = 0;
  readonly #loop: Loop;
  readonly #fd: number;
  readonly #sendsToAddress: boolean;
  readonly #sender: GsoBatchSender;
  #open: GsoBatch[] = [];

  constructor(loop: Loop, fd: number, sender: GsoBatchSender) {
    this.#loop = loop;
    this.#fd = fd;
    this.#sendsToAddress = loop.sendsToAddress;
    this.#sender = sender;
  }

  /** Copies a datagram; false if there is no memory for it now. */
  take(data: Uint8Array, route: Route): boolean {
    if (this.#loop.closing) return false;
    const { batch } = route;
    if (batch !== null) {
      if (batch.segmentSize === data.length && batch.count < batch.capacity) {
        batch.block!.bytes.set(data, batch.length);
        batch.count++;
        return true;
      }
      if (batch.count === batch.capacity) route.batchSize = Math.min(GSO_SEGMENTS_MAX, batch.capacity * 2);
      this.#submit(batch);
    }
    return this.#start(data, route);
  }

  #start(data: Uint8Array, route: Route): boolean {
    const capacity = Math.max(1, Math.min(route.batchSize, Math.floor(GSO_BYTES_MAX / data.length)));
    const size = messageRoom(capacity * data.length, CONTROL_MAX);
    const block = this.#loop.blocks.acquire(size);
    if (block === null) return false;
    if (block.bytes.length < size) {
      this.#loop.blocks.release(block);
      return false;
    }
    block.bytes.set(data);
    const batch = pool.take(this.#loop);
    batch.owner = this;
    batch.route = route;
    batch.block = block;
    batch.segmentSize = data.length;
    batch.count = 1;
    batch.capacity = capacity;
    batch.referenced = this.#sender.referenced;
    route.batch = batch;
    this.inFlight++;
    if (this.#open.length === 0) {
      flushAtExit(this.#loop);
      this.#loop.soon(this.#onTurn);
    }
    this.#open.push(batch);
    return true;
  }

  readonly #onTurn = (): void => void this.flush();

  /** Submits collected datagrams; false if there are none. */
  flush(): boolean {
    if (this.#open.length === 0) return false;
    const open = this.#open;
    this.#open = [];
    for (const batch of open) {
      const { route } = batch;
      // It may have been sent already, and belong to another socket by now.
      if (batch.owner !== this || route?.batch !== batch) continue;
      if (batch.count * 4 <= batch.capacity) route.batchSize = Math.max(1, batch.capacity >> 1);
      this.#submit(batch);
    }
    return true;
  }

  #submit(batch: GsoBatch): void {
    const route = batch.route!;
    const { destination } = route;
    route.batch = null;
    if (this.#loop.closing) {
      this.#release(batch);
      return;
    }
    const sqe = this.#loop.start(batch);
    const block = batch.block!;
    if (batch.count === 1 && this.#sendsToAddress) {
      prepareSend(sqe, this.#fd, block, batch.length, destination);
    } else {
      const control = batch.count === 1 ? NO_CONTROL : segmentControl(batch.segmentSize);
      prepareSendmsg(sqe, this.#fd, block, batch.length, destination, control);
    }
    sqe.opFlags(MSG_NOSIGNAL);
  }

  completed(batch: GsoBatch, res: number): void {
    const route = batch.route!;
    if (res < 0) {
      route.invalidate();
      // Longer than the route's MTU, or no checksum offload: separately they may be accepted.
      const tooLong = batch.count > 1 && (res === EINVAL || res === EIO || res === EMSGSIZE);
      if (tooLong || res === EINTR) this.#sendAlone(batch);
      else this.#sender.refused(systemError(res, 'send', route.destination.details));
    }
    this.#release(batch);
    this.#sender.settle();
  }

  #sendAlone({ block, count, segmentSize, route }: GsoBatch): void {
    for (let i = 0; i < count; i++) {
      const data = Buffer.from(block!.bytes.subarray(i * segmentSize, (i + 1) * segmentSize));
      this.#sender.sendAgain(data, route!.destination);
    }
  }

  #release(batch: GsoBatch): void {
    this.#loop.blocks.release(batch.block!);
    batch.block = null;
    batch.route = null;
    batch.owner = null;
    this.inFlight--;
    pool.give(batch);
  }
}
