import type { Loop } from '../loop/loop.js';
import { perLoop } from '../loop/per-loop.js';
import { OperationPool } from '../loop/pool.js';
import { EINVAL, EIO, EMSGSIZE } from '../ring/errno.js';
import { systemError } from '../ring/errors.js';
import { MSG_NOSIGNAL } from '../ring/sqe/sockets.js';
import { CONTROL_MAX, segmentControl } from './ancillary.js';
import { DatagramTrain, type Destination, type TrainOwner } from './datagram-destination.js';
import { messageRoom, prepareSend, prepareSendmsg, sendsToAddress } from './datagram-entry.js';

/** What the kernel cuts at most: UDP_MAX_SEGMENTS. */
export const TRAIN_MAX = 64;
/** Below 64 KiB, so that a train and what is said about it fit into a block of that size. */
export const TRAIN_BYTES = 64000;
const NO_CONTROL = new Uint8Array(0);

/** Whose datagrams they are. */
export interface TrainSender {
  readonly referenced: boolean;
  /** Sends by itself what was refused as part of a train. */
  sendAgain(data: Uint8Array, destination: Destination): void;
  /** A train, or what was sent again, was refused: the calls have resolved. */
  refused(error: Error): void;
  /** One train less is in flight. */
  settle(): void;
}

const pool = new OperationPool(DatagramTrain);

/** What was taken leaves even if the program calls `process.exit()` in the same turn. */
const flushAtExit = perLoop(loop => {
  // Before the loop of a worker is closed.
  process.prependOnceListener('exit', () => {
    if (!loop.closing) loop.poll();
  });
});

/**
 * Datagrams that were taken before the kernel had them: they go to it in the next turn. One that answers
 * each datagram as it comes, and awaits each answer, so costs no system call for each.
 */
export class DatagramTrains implements TrainOwner {
  inFlight = 0;
  readonly #loop: Loop;
  readonly #fd: number;
  readonly #sender: TrainSender;
  #open: DatagramTrain[] = [];

  constructor(loop: Loop, fd: number, sender: TrainSender) {
    this.#loop = loop;
    this.#fd = fd;
    this.#sender = sender;
  }

  /** Copies a datagram; false if there is no memory for it now. */
  take(data: Uint8Array, destination: Destination): boolean {
    const { train } = destination;
    if (train !== null && !train.loop.closing) {
      if (train.owner === this && train.segmentSize === data.length && train.count < train.capacity) {
        train.block!.bytes.set(data, train.length);
        train.count++;
        return true;
      }
      // Another sender's is left to it: trains to one destination follow each other.
      if (train.owner !== this) return false;
      if (train.count === train.capacity) destination.trainSize = Math.min(TRAIN_MAX, train.capacity * 2);
      this.#submit(train);
    }
    return this.#start(data, destination);
  }

  #start(data: Uint8Array, destination: Destination): boolean {
    if (this.#loop.closing) return false;
    const capacity = Math.max(1, Math.min(destination.trainSize, Math.floor(TRAIN_BYTES / data.length)));
    const size = messageRoom(capacity * data.length, CONTROL_MAX);
    const block = this.#loop.blocks.acquire(size);
    if (block === null) return false;
    if (block.bytes.length < size) {
      this.#loop.blocks.release(block);
      return false;
    }
    block.bytes.set(data);
    const train = pool.take(this.#loop);
    train.owner = this;
    train.destination = destination;
    train.block = block;
    train.segmentSize = data.length;
    train.count = 1;
    train.capacity = capacity;
    train.referenced = this.#sender.referenced;
    destination.train = train;
    this.inFlight++;
    if (this.#open.length === 0) {
      flushAtExit(this.#loop);
      this.#loop.soon(this.#onTurn);
    }
    this.#open.push(train);
    return true;
  }

  readonly #onTurn = (): void => void this.flush();

  /** Queues what was taken for the kernel; false if there is nothing. */
  flush(): boolean {
    if (this.#open.length === 0) return false;
    const open = this.#open;
    this.#open = [];
    for (const train of open) {
      const { destination } = train;
      // It may have gone already, and be another's by now.
      if (train.owner !== this || destination?.train !== train) continue;
      if (train.count * 4 <= train.capacity) destination.trainSize = Math.max(1, train.capacity >> 1);
      this.#submit(train);
    }
    return true;
  }

  #submit(train: DatagramTrain): void {
    const destination = train.destination!;
    destination.train = null;
    if (this.#loop.closing) {
      this.#release(train);
      return;
    }
    const sqe = this.#loop.start(train);
    const block = train.block!;
    if (train.count === 1 && sendsToAddress(this.#loop)) {
      prepareSend(sqe, this.#fd, block, train.length, destination);
    } else {
      const control = train.count === 1 ? NO_CONTROL : segmentControl(train.segmentSize);
      prepareSendmsg(sqe, this.#fd, block, train.length, destination, control);
    }
    sqe.opFlags(MSG_NOSIGNAL);
  }

  completed(train: DatagramTrain, res: number): void {
    const destination = train.destination!;
    if (res < 0) {
      destination.doubt();
      // Longer than the route's MTU, or no checksums in hardware: alone they may pass.
      const alone = train.count > 1 && (res === EINVAL || res === EIO || res === EMSGSIZE);
      if (alone) this.#sendAlone(train);
      else this.#sender.refused(systemError(res, 'send', destination.details));
    }
    this.#release(train);
    this.#sender.settle();
  }

  #sendAlone({ block, count, segmentSize, destination }: DatagramTrain): void {
    for (let i = 0; i < count; i++) {
      const data = Buffer.from(block!.bytes.subarray(i * segmentSize, (i + 1) * segmentSize));
      this.#sender.sendAgain(data, destination!);
    }
  }

  #release(train: DatagramTrain): void {
    this.#loop.blocks.release(train.block!);
    train.block = null;
    train.destination = null;
    train.owner = null;
    this.inFlight--;
    pool.give(train);
  }
}
