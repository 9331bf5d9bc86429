import { checkInt } from '../ring/check.js';
import { stateError, systemError } from '../ring/errors.js';
import { libc } from '../ring/libc.js';
import { takePlace } from '../ring/thread-records.js';

const PAGE = 4096;
const SIZE_MAX = 2 ** 31 - 1;

/** Below this, copying costs less than checking whether the memory is pinned. */
export const IN_PLACE_MIN = 4096;

/** Where the memory of each pinned buffer starts. */
const addresses = new WeakMap<ArrayBufferLike, number>();

/** All that this thread has mapped: address and length. */
const mapped = new Map<number, number>();

/** Memory of buffers that have been collected, by its length. */
const free = new Map<number, number[]>();

/**
 * Moved (Node 22), the memory would be used again while it is another buffer's: only the old one is
 * known to be collected.
 */
function refuse(): never {
  throw stateError('Pinned memory cannot be moved to another ArrayBuffer');
}
const unmovable = { transfer: { value: refuse }, transferToFixedLength: { value: refuse } };

const collected = new FinalizationRegistry<number>(address => {
  const length = mapped.get(address)!;
  // Its pages go back, but not its addresses: streams of bytes may have moved them to a buffer that is still
  // looked at, and must not fault.
  libc().madviseDontneed(address, length);
  const same = free.get(length);
  if (same === undefined) free.set(length, [address]);
  else same.push(address);
});

/**
 * A zeroed Buffer of `size` bytes that the kernel reads and writes in place: `readInto` and `write` do not copy.
 * That pays from about 16 KiB on. Parts of it (`subarray`) work too. It cannot be transferred to another thread, nor moved: give web streams
 * of type 'bytes' a copy, as `enqueue` and BYOB reads move what they are given, and the memory would be used
 * again when this buffer is collected.
 * @param size in bytes, 1 to 2147483647; whole pages of 4096 are taken, and given back when it is collected.
 * @throws UasyncError ENOMEM, RangeError. mmap(2)
 */
export function allocPinned(size: number): Buffer {
  checkInt('size', size, 1, SIZE_MAX);
  const length = Math.ceil(size / PAGE) * PAGE;
  const address = free.get(length)?.pop() ?? map(length);
  // Memory of C's is untransferable as it is. Marked so once more, Node 24 would abort at its end.
  const memory = libc().view(address, length);
  Object.defineProperties(memory, unmovable);
  addresses.set(memory, address);
  collected.register(memory, address);
  return Buffer.from(memory, 0, size);
}

function map(length: number): number {
  const address = libc().mmapAnonymous(length, takePlace());
  if (address < 0) throw systemError(address, 'mmap');
  mapped.set(address, length);
  return address;
}

/** @internal Gives the pages of all pinned memory back, when this thread ends: it reads as zeros from then on. */
export function discardPinned(): void {
  for (const [address, length] of mapped) libc().madviseDontneed(address, length);
}

/** @internal The address of these bytes if they are pinned, and enough for it to pay; else 0. */
export function pinnedAddress(bytes: Uint8Array): number {
  if (bytes.length < IN_PLACE_MIN) return 0;
  const address = addresses.get(bytes.buffer);
  return address === undefined ? 0 : address + bytes.byteOffset;
}
