/** The values of a channel, through shared memory or through the port. */
import { isSharedArrayBuffer } from 'node:util/types';
import { bytesIn } from '../sys/memory/views.js';
import { arrayOf, kindOf } from './array-kinds.js';
import type { ChannelPort, TransferList } from './channel-port.js';
import type { EndState } from './end-state.js';
import type { MessageQueue } from './message-queue.js';

/** The kind of a message whose value comes through the port. Other kinds are typed arrays. */
const BY_PORT = 0;
/** The number of values of unknown size that fill a queue. */
const VALUES_MAX = 1024;
/** Typed arrays of up to this share of a queue are copied through it; larger ones would wait long for room. */
const COPIED_SHARE = 1 / 64;

/**
 * The values that one end of a channel sends: through shared memory, or through the port with a placeholder in the
 * queue.
 */
export class OutgoingMessages {
  readonly #queue: MessageQueue;
  readonly #port: ChannelPort;
  readonly #mine: EndState;
  /** Whether a value is being cloned. Its getters may use the channel. */
  busy = false;

  constructor(queue: MessageQueue, port: ChannelPort, mine: EndState) {
    this.#queue = queue;
    this.#port = port;
    this.#mine = mine;
  }

  /** Free bytes in the queue. */
  get room(): number {
    return this.#queue.room;
  }

  /** Sends a value if there is room; if not, this end's state records how much it needs. */
  push(value: unknown, transfer: TransferList | undefined): boolean {
    const queue = this.#queue;
    let size = queue.capacity / VALUES_MAX;
    if (ArrayBuffer.isView(value)) {
      size = value.byteLength;
      const kind = kindOf(value);
      // An empty one may be detached: structured cloning throws the right error for that.
      if (
        kind !== undefined &&
        transfer === undefined &&
        size !== 0 &&
        size <= queue.capacity * COPIED_SHARE
      ) {
        if (this.#lacks(size)) return false;
        // With a fixed length: another thread may grow growable shared memory meanwhile.
        queue.push(kind, new Uint8Array(value.buffer, value.byteOffset, size));
        return true;
      }
    }
    if (this.#lacks(size)) return false;
    this.busy = true;
    try {
      this.#port.post(ownBytes(value, transfer), transfer);
    } finally {
      this.busy = false;
    }
    queue.pushEmpty(BY_PORT, Math.min(size, queue.capacity));
    return true;
  }

  #lacks(size: number): boolean {
    const needed = this.#queue.roomFor(size);
    if (this.#queue.room >= needed) return false;
    this.#mine.needed = needed;
    return true;
  }
}

/**
 * The value that the port clones for `value`. A typed array over a larger buffer is copied, because the port would
 * clone the whole buffer; so is one over shared memory, which would stay shared. Cloning throws for a detached one.
 */
function ownBytes(value: unknown, transfer: TransferList | undefined): unknown {
  if (!ArrayBuffer.isView(value) || kindOf(value) === undefined) return value;
  const { buffer, byteLength } = value;
  const whole = byteLength === buffer.byteLength && !isSharedArrayBuffer(buffer);
  if (whole || transfer?.includes(buffer as ArrayBuffer) || isGone(value)) return value;
  return arrayOf(kindOf(value)!, Uint8Array.from(new Uint8Array(buffer, value.byteOffset, byteLength)));
}

/** Whether its buffer is detached, or has shrunk below it. */
function isGone(view: ArrayBufferView): boolean {
  try {
    bytesIn(view);
    return false;
  } catch {
    return true;
  }
}

/** The values that one end of a channel receives. */
export class IncomingMessages {
  readonly #queue: MessageQueue;
  readonly #port: ChannelPort;

  constructor(queue: MessageQueue, port: ChannelPort) {
    this.#queue = queue;
    this.#port = port;
  }

  get empty(): boolean {
    return this.#queue.empty;
  }

  /** Free bytes in the queue. */
  get room(): number {
    return this.#queue.room;
  }

  /** Whether the queue is at most half full. */
  get halfEmpty(): boolean {
    return this.#queue.room >= this.#queue.capacity / 2;
  }

  /**
   * Takes the first value; there must be one.
   * @throws UasyncError ERR_MESSAGE if it cannot be rebuilt in this thread.
   */
  take(): unknown {
    const queue = this.#queue;
    const { kind } = queue;
    if (kind !== BY_PORT) return arrayOf(kind, queue.take());
    queue.drop();
    return this.#port.take();
  }
}
