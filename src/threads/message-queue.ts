/** The layout of a queue, in words: its two counters do not share a cache line. */
const HEAD = 0;
const TAIL = 16;
const HEADER_BYTES = 128;
/** Each message starts with its length and its kind; messages are aligned to this size. */
const RECORD_HEADER = 8;

/**
 * A queue of messages in shared memory, for one writing thread and one reading thread. The counters count
 * bytes since the beginning, modulo 2^32.
 */
export class MessageQueue {
  /** In bytes, a power of two. */
  readonly capacity: number;
  readonly #counters: Int32Array;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(memory: SharedArrayBuffer, offset: number, capacity: number) {
    this.capacity = capacity;
    this.#counters = new Int32Array(memory, offset, HEADER_BYTES / 4);
    this.#words = new Int32Array(memory, offset + HEADER_BYTES, capacity / 4);
    this.#bytes = new Uint8Array(memory, offset + HEADER_BYTES, capacity);
  }

  /** The size of a queue in shared memory. */
  static sizeOf(capacity: number): number {
    return HEADER_BYTES + capacity;
  }

  /** The room that a message of `length` bytes takes. A message that is longer than the queue counts as all of it. */
  roomFor(length: number): number {
    return Math.min(RECORD_HEADER + Math.ceil(length / 8) * 8, this.capacity);
  }

  /** Free bytes. */
  get room(): number {
    return this.capacity - ((Atomics.load(this.#counters, TAIL) - Atomics.load(this.#counters, HEAD)) | 0);
  }

  get empty(): boolean {
    return Atomics.load(this.#counters, HEAD) === Atomics.load(this.#counters, TAIL);
  }

  /** Writes a message with these bytes. There must be room for it. */
  push(kind: number, bytes: Uint8Array): void {
    const { capacity } = this;
    const from = (this.#begin(bytes.length, kind) + RECORD_HEADER) & (capacity - 1);
    const atEnd = capacity - from;
    if (bytes.length <= atEnd) {
      this.#bytes.set(bytes, from);
    } else {
      this.#bytes.set(bytes.subarray(0, atEnd), from);
      this.#bytes.set(bytes.subarray(atEnd), 0);
    }
    this.#publish(bytes.length);
  }

  /** Writes an empty message that takes the room of `length` bytes. */
  pushEmpty(kind: number, length: number): void {
    this.#begin(length, kind);
    this.#publish(length);
  }

  #begin(length: number, kind: number): number {
    const start = this.#counters[TAIL]! & (this.capacity - 1);
    this.#words[start / 4] = length;
    this.#words[start / 4 + 1] = kind;
    return start;
  }

  #publish(length: number): void {
    Atomics.store(this.#counters, TAIL, this.#counters[TAIL]! + this.roomFor(length));
  }

  /** The kind of the first message. There must be one. */
  get kind(): number {
    return this.#words[(this.#counters[HEAD]! & (this.capacity - 1)) / 4 + 1]!;
  }

  /** Copies the first message's bytes, and removes it. */
  take(): Uint8Array {
    const { capacity } = this;
    const start = this.#counters[HEAD]! & (capacity - 1);
    const length = this.#words[start / 4]!;
    const from = (start + RECORD_HEADER) & (capacity - 1);
    const atEnd = capacity - from;
    let bytes: Uint8Array;
    if (length <= atEnd) {
      bytes = this.#bytes.slice(from, from + length);
    } else {
      bytes = new Uint8Array(length);
      bytes.set(this.#bytes.subarray(from));
      bytes.set(this.#bytes.subarray(0, length - atEnd), atEnd);
    }
    this.drop();
    return bytes;
  }

  /** Removes the first message, which has no bytes or is not needed. */
  drop(): void {
    const head = this.#counters[HEAD]!;
    const length = this.#words[(head & (this.capacity - 1)) / 4]!;
    Atomics.store(this.#counters, HEAD, head + this.roomFor(length));
  }
}
