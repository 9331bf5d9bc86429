/** Received bytes of a connection that are unread. */
import { allocatePooled, copyPooled } from '../../loop/memory/buffer-memory.js';

const NONE = Buffer.alloc(0);

/** The number of unread bytes, or chunks, at which receiving pauses: the peer's window closes, and it waits. */
const HIGH_WATER = 256 * 1024;
const HIGH_WATER_CHUNKS = 1024;
/** Below this it resumes. */
const LOW_WATER = HIGH_WATER / 2;
const LOW_WATER_CHUNKS = HIGH_WATER_CHUNKS / 2;

/** Received, unread bytes, in the chunks in which they arrived. */
export class ReceiveQueue {
  readonly #chunks: Buffer[];
  /** How many bytes there are. */
  length = 0;

  constructor(chunks: Buffer[] = []) {
    this.#chunks = chunks;
  }

  /** Whether receiving should pause. @param wanted bytes and chunks that may wait beyond the high-water marks. */
  isFull(wanted: number): boolean {
    if (this.length < HIGH_WATER && this.chunks < HIGH_WATER_CHUNKS) return false;
    return this.length >= HIGH_WATER + wanted || this.chunks >= HIGH_WATER_CHUNKS + wanted;
  }

  /** Whether receiving may resume. */
  hasRoom(wanted: number): boolean {
    return this.length <= LOW_WATER + wanted && this.chunks <= LOW_WATER_CHUNKS + wanted;
  }

  /** Whether there are too many chunks to search them one by one. */
  get isScattered(): boolean {
    return this.chunks >= HIGH_WATER_CHUNKS;
  }

  /** How many chunks there are. */
  get chunks(): number {
    return this.#chunks.length;
  }

  /** The last chunk, which the next may extend. */
  get last(): Buffer | undefined {
    return this.#chunks[this.#chunks.length - 1];
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.length += chunk.length;
  }

  /** Replaces the last chunk by a longer one. */
  extendLast(chunk: Buffer): void {
    const at = this.#chunks.length - 1;
    this.length += chunk.length - this.#chunks[at]!.length;
    this.#chunks[at] = chunk;
  }

  /** Puts bytes before all others. */
  unread(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.unshift(chunk);
    this.length += chunk.length;
  }

  /** Takes the first chunk. */
  shift(): Buffer {
    const chunk = this.#chunks.shift()!;
    this.length -= chunk.length;
    return chunk;
  }

  /** Moves bytes to `target` from `at` on, as many as available and fitting; returns their number. */
  moveTo(target: Uint8Array, at: number): number {
    let end = at;
    while (this.#chunks.length !== 0 && end < target.length) {
      const chunk = this.#chunks[0]!;
      const room = target.length - end;
      if (chunk.length <= room) {
        target.set(chunk, end);
        end += chunk.length;
        this.#chunks.shift();
      } else {
        target.set(chunk.subarray(0, room), end);
        end += room;
        this.#chunks[0] = chunk.subarray(room);
      }
    }
    this.length -= end - at;
    return end - at;
  }

  /** Takes the first chunk, or as much of it as `max` bytes. */
  takeChunk(max: number): Buffer {
    return this.#chunks[0]!.length <= max ? this.shift() : this.take(max);
  }

  /** Removes and returns the first `count` available bytes. */
  take(count: number): Buffer {
    const first = this.#chunks[0];
    if (first === undefined || count === 0) return NONE;
    if (first.length === count) return this.shift();
    if (first.length > count) {
      this.#chunks[0] = first.subarray(count);
      this.length -= count;
      return first.subarray(0, count);
    }
    const bytes = allocatePooled(count);
    this.moveTo(bytes, 0);
    return bytes;
  }

  /** The first `count` available bytes, which stay. */
  peek(count: number): Buffer {
    const first = this.#chunks[0] ?? NONE;
    // They become one chunk, so that another peek costs little.
    if (first.length < count) this.unread(this.take(count));
    const chunk = this.#chunks[0] ?? NONE;
    const bytes = chunk.subarray(0, count);
    // A web stream transfers memory that belongs to one chunk.
    return chunk.length === chunk.buffer.byteLength ? copyPooled(bytes) : bytes;
  }

  /** The first position of `bytes`, at `from` or later; -1 if they do not occur. */
  indexOf(bytes: Buffer, from: number): number {
    let start = 0;
    for (const [i, chunk] of this.#chunks.entries()) {
      const end = start + chunk.length;
      if (end > from) {
        const found = chunk.indexOf(bytes, Math.max(from - start, 0));
        if (found >= 0) return start + found;
      }
      // They may start in this chunk and end in a later one.
      if (bytes.length > 1 && end > from - bytes.length) {
        const across = this.#indexAcross(i, bytes, Math.max(from - start, 0));
        if (across >= 0) return start + across;
      }
      start = end;
    }
    return -1;
  }

  /** The position in chunk `index`, at `from` or later, of `bytes` that end in a later chunk; -1 if there is none. */
  #indexAcross(index: number, bytes: Buffer, from: number): number {
    const chunk = this.#chunks[index]!;
    const reach = bytes.length - 1;
    const begin = Math.max(chunk.length - reach, from);
    const parts = [chunk.subarray(begin)];
    let more = reach;
    for (let next = index + 1; next < this.#chunks.length && more > 0; next++) {
      const part = this.#chunks[next]!.subarray(0, more);
      parts.push(part);
      more -= part.length;
    }
    if (parts.length === 1) return -1;
    const found = Buffer.concat(parts).indexOf(bytes);
    return found >= 0 && begin + found < chunk.length ? begin + found : -1;
  }

  /** Joins all chunks. */
  join(): void {
    this.unread(this.take(this.length));
  }

  clear(): void {
    this.#chunks.length = 0;
    this.length = 0;
  }
}

/** Shared by all connections without unread bytes. It is empty and frozen. */
export const NO_QUEUE = new ReceiveQueue(Object.freeze([]) as unknown as Buffer[]);
