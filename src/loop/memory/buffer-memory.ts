/**
 * Allocates Buffers for data. Their memory is outside of V8's heap. From version 13 (Node 24) V8 marks its whole heap
 * each time that Buffers have added some tens of MB. Collecting the young generation frees Buffers that lived briefly
 * in a tenth of the time, but starts only once it is full of objects. So while the Buffers of a data stream add up, the
 * young generation is filled with objects. Where Buffers stay in use that frees nothing, and is rarely tried again.
 */
import { isArrayBuffer } from 'node:util/types';
import { isUntransferable } from '../../sys/memory/untransferable.js';

type V8 = typeof import('node:v8');

const MIB = 1024 * 1024;
/** After this many bytes of Buffers the total is checked. V8 12 collects the young generation in time by itself. */
const CHECK_BYTES = Number.parseInt(process.versions.v8, 10) >= 13 ? MIB : Number.POSITIVE_INFINITY;
/** Total bytes that do not matter. */
const SLACK = 4 * MIB;
/** The young generation is filled during this many bytes, or during twice its size. */
const FILL_BYTES = 8 * MIB;
/** If the total has grown by so much more before it falls, V8 has marked its heap: Buffers are freed on another thread. */
const LATE_BYTES = 24 * MIB;
/** A larger young generation costs more to fill than marking. */
const YOUNG_MAX = 16 * MIB;
/** How many bytes of Buffers to wait after filling it has freed nothing: twice as many each time, up to a limit. */
const PAUSE_MIN = 64 * MIB;
const PAUSE_MAX = 1024 * MIB;
/** From this size on a plain array without zeroing is cheaper than one that V8 zeroes. */
const LARGE = 4096;

/** `Buffer.allocUnsafe` takes memory of its own from this size on. */
const POOLED_BELOW = Buffer.poolSize >>> 1;

/** One object. Unlike `new Array`, `slice` has no allocation site, which V8 could move to the old generation. */
const FILLER = new Array(1024).fill(0);
const FILLER_BYTES = FILLER.length * 8;

/** Loaded for the first check: it takes a while. */
let statistics: Pick<V8, 'getHeapStatistics' | 'getHeapSpaceStatistics'> | undefined;
/** Bytes of Buffers since the last check. */
let unchecked = 0;
/** The total at the last check, and the lowest one since the young generation was last filled. */
let total = 0;
let lowest = Number.POSITIVE_INFINITY;
/** The size of the young generation, and how much of it has been filled. */
let young = 0;
let filled = 0;
let filling = false;
/** Bytes until it may be filled again, and the length of the last pause. */
let paused = 0;
let pause = 0;
/** The last object: storing it keeps the optimizer from removing the allocation. */
const last: unknown[] = [];

/** An uninitialized Buffer with memory of its own, for data that is usually dropped soon. */
export function allocateBuffer(size: number): Buffer {
  unchecked += size;
  if (unchecked >= CHECK_BYTES) check();
  return Buffer.allocUnsafeSlow(size);
}

/** As `allocateBuffer`, but a small Buffer shares memory with others, as those of `Buffer.allocUnsafe` do. */
export function allocatePooled(size: number): Buffer {
  return size < POOLED_BELOW ? Buffer.allocUnsafe(size) : allocateBuffer(size);
}

/** A copy of bytes. A small one shares memory with others. */
export function copyPooled(bytes: Uint8Array): Buffer {
  const copy = allocatePooled(bytes.length);
  copy.set(bytes);
  return copy;
}

/** A copy of bytes, in memory of its own, for data that is usually dropped soon. */
export function copyOfBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.length < LARGE) return new Uint8Array(bytes);
  const copy = allocateBuffer(bytes.length);
  copy.set(bytes);
  return new Uint8Array(copy.buffer);
}

/** The bytes in memory of their own, which a stream may transfer: a copy, unless they have such memory already. */
export function inOwnMemory(bytes: Uint8Array): Uint8Array {
  const { buffer } = bytes;
  const isWhole = bytes.byteLength === buffer.byteLength && isArrayBuffer(buffer);
  return isWhole && !isUntransferable(buffer) ? new Uint8Array(buffer) : copyOfBytes(bytes);
}

function check(): void {
  const bytes = unchecked;
  unchecked = 0;
  paused -= bytes;
  if (paused > 0) return;
  try {
    examine(bytes);
  } catch {
    // A test has replaced node:v8. No data depends on it.
    paused = Number.POSITIVE_INFINITY;
  }
}

function examine(bytes: number): void {
  statistics ??= { ...process.getBuiltinModule('node:v8') };
  const before = total;
  total = statistics.getHeapStatistics().external_memory;
  const period = Math.max(FILL_BYTES, 2 * young);
  const peak = Math.max(before, total) - lowest;
  if (filling && (total < before || peak > 4 * LATE_BYTES || young > YOUNG_MAX)) {
    filling = false;
    const isInVain = peak > SLACK + period + LATE_BYTES || young > YOUNG_MAX;
    pause = isInVain ? Math.min(Math.max(pause * 2, PAUSE_MIN), PAUSE_MAX) : 0;
    paused = pause;
    lowest = Number.POSITIVE_INFINITY;
  }
  lowest = Math.min(lowest, total);
  if (total - lowest < SLACK) return;
  if (!filling) {
    filling = true;
    filled = 0;
    young = youngSize();
  }
  if (filled <= young && young <= YOUNG_MAX) fill((bytes / period) * young);
}

function fill(bytes: number): void {
  const count = Math.ceil(Math.min(bytes, young) / FILLER_BYTES);
  for (let i = 0; i < count; i++) last[0] = FILLER.slice();
  filled += count * FILLER_BYTES;
}

function youngSize(): number {
  const spaces = statistics!.getHeapSpaceStatistics();
  const space = spaces.find(({ space_name }) => space_name === 'new_space');
  return space === undefined ? 0 : space.space_used_size + space.space_available_size;
}
