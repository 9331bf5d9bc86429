import { checkInt } from '../../sys/check/check.js';
import { stateError, systemError } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';
import { takePlace } from '../../sys/libc/thread-records.js';

const PAGE = 4096;
const SIZE_MAX = 2 ** 31 - 1;

/** Below this, copying costs less than checking whether the memory is pinned. */
export const IN_PLACE_MIN = 4096;

/** The address of each pinned buffer. */
const addresses = new WeakMap<ArrayBufferLike, number>();

/** All mappings of this thread: address and length. */
const mapped = new Map<number, number>();

/** Addresses of collected buffers, by length. */
const free = new Map<number, number[]>();

/**
 * If the memory were moved (Node 22), it would be reused while another buffer still has it: only the collection of the
 * old buffer is observed.
 */
function refuse(): never {
  throw stateError('Pinned memory cannot be moved to another ArrayBuffer');
}
const unmovable = { transfer: { value: refuse }, transferToFixedLength: { value: refuse } };

const collected = new FinalizationRegistry<number>(address => {
  const length = mapped.get(address)!;
  // Frees its pages but not its addresses: byte streams may have moved the memory to a buffer that is still in use,
  // which must not fault.
  libc().madviseDontneed(address, length);
  const same = free.get(length);
  if (same === undefined) free.set(length, [address]);
  else same.push(address);
});

/**
 * A zeroed Buffer of `size` bytes that the kernel reads and writes in place: `readInto` and `write` do not copy. This pays
 * off from about 16 KiB on. Parts of it (`subarray`) work too. It cannot be transferred to another thread, nor moved.
 * Give web streams of type 'bytes' a copy: `enqueue` and BYOB reads move what they are given, and the memory would be
 * reused when this buffer is collected.
 * @param size in bytes, 1 to 2147483647. It takes whole pages of 4096, which are freed when it is collected.
 * @throws UasyncError ENOMEM, RangeError. mmap(2)
 */
export function allocPinned(size: number): Buffer {
  checkInt('size', size, 1, SIZE_MAX);
  const length = Math.ceil(size / PAGE) * PAGE;
  const address = free.get(length)?.pop() ?? map(length);
  // Memory that C owns is untransferable anyway. Marking it again makes Node 24 abort at exit.
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

/** @internal Frees the pages of all pinned memory when this thread ends: it reads as zeros from then on. */
export function discardPinned(): void {
  for (const [address, length] of mapped) libc().madviseDontneed(address, length);
}

/** @internal The address of these bytes if they are pinned and large enough for it to pay off; else 0. */
export function pinnedAddress(bytes: Uint8Array): number {
  if (bytes.length < IN_PLACE_MIN) return 0;
  const address = addresses.get(bytes.buffer);
  return address === undefined ? 0 : address + bytes.byteOffset;
}
