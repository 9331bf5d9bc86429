/** READ and WRITE. */
import { EAGAIN, EOPNOTSUPP, EPERM, ESPIPE } from '../ring/errno.js';
import { POLLIN, POLLOUT } from '../ring/flags.js';
import type { Entry } from './entry.js';
import { handFile } from './files.js';
import { TO_READ, TO_WRITE } from './readiness.js';
import type { SoftRing } from './soft-ring.js';

/** All bits of an offset: the current position. */
function positionOf(entry: Entry): number {
  return entry.offLow === -1 && entry.offHigh === -1 ? -1 : entry.off;
}

export function read(ring: SoftRing, entry: Entry): void {
  transfer(ring, entry, TO_READ);
}

export function write(ring: SoftRing, entry: Entry): void {
  transfer(ring, entry, TO_WRITE);
}

/** One attempt that does not wait. What cannot promise that, or is not at hand, goes to the pool if it is a file. */
function transfer(ring: SoftRing, entry: Entry, direction: number): void {
  entry.expected = entry.len;
  if (ring.readiness.isBehind(entry, direction)) {
    park(ring, entry, direction);
    return;
  }
  let res = attempt(ring, entry, direction, positionOf(entry));
  // Streams have no positions.
  if (res === ESPIPE) res = attempt(ring, entry, direction, -1);
  if (res === EAGAIN) park(ring, entry, direction);
  else if (res === EOPNOTSUPP) transferWhenReady(ring, entry, direction);
  else ring.complete(entry, res);
}

function attempt(ring: SoftRing, entry: Entry, direction: number, position: number): number {
  const { fd, len, opFlags } = entry;
  const { calls } = ring;
  return direction === TO_READ
    ? calls.read(fd, entry.addr, len, position, opFlags)
    : calls.write(fd, entry.addr, len, position, opFlags);
}

/** As the kernel's, an operation on a descriptor with O_NONBLOCK does not wait. */
function park(ring: SoftRing, entry: Entry, direction: number): void {
  const failed = ring.calls.isNonBlocking(entry.fd) ? EAGAIN : ring.wait(entry, direction);
  if (failed === EPERM) handFile(ring, entry);
  else if (failed < 0) ring.complete(entry, failed);
}

/** Terminals and some devices: they are asked whether they are ready. */
function transferWhenReady(ring: SoftRing, entry: Entry, direction: number): void {
  const { fd, len } = entry;
  if ((ring.calls.poll(fd, direction === TO_READ ? POLLIN : POLLOUT) & ~0) === 0) {
    park(ring, entry, direction);
    return;
  }
  // Files are always ready, and wait all the same: only what epoll takes is known not to.
  if (!ring.readiness.canWait(fd)) {
    handFile(ring, entry);
    return;
  }
  const { calls } = ring;
  const res =
    direction === TO_READ ? calls.readReady(fd, entry.addr, len) : calls.writeReady(fd, entry.addr, len);
  if (res === EAGAIN) park(ring, entry, direction);
  else ring.complete(entry, res);
}
