/** READ and WRITE. */
import { EAGAIN, EOPNOTSUPP, EPERM, ESPIPE } from '../ring/errno.js';
import { POLLIN, POLLOUT } from '../ring/flags.js';
import { type Entry, PARKED } from './entry.js';
import { transferInPool } from './files.js';
import { TO_READ, TO_WRITE } from './readiness.js';
import type { SoftRing } from './soft-ring.js';

/** Bytes that are written to a pipe as one. */
const PIPE_BUF = 4096;

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
  const position = positionOf(entry);
  if (direction === TO_WRITE && ring.pool.isChanging(entry.fd)) {
    transferInPool(ring, entry, true, position);
    return;
  }
  const res = attempt(ring, entry, direction, position);
  // Streams have no positions.
  if (res === ESPIPE && position >= 0)
    transferOf(ring, entry, direction, -1, attempt(ring, entry, direction, -1));
  else transferOf(ring, entry, direction, position, res);
}

/** @param res what the first attempt has answered. */
function transferOf(ring: SoftRing, entry: Entry, direction: number, position: number, res: number): void {
  if (res === EAGAIN || res === EOPNOTSUPP) {
    if (ring.files.isFile(entry.fd)) transferInPool(ring, entry, direction === TO_WRITE, position);
    else if (res === EAGAIN) park(ring, entry, direction);
    else transferWhenReady(ring, entry, direction, position);
  } else if (res > 0 && res < entry.len && entry.place !== PARKED && ring.files.isFile(entry.fd)) {
    goOn(ring, entry, direction, position, res);
  } else ring.complete(entry, res);
}

/** Of a file a part was at hand, or all that it has. */
function goOn(ring: SoftRing, entry: Entry, direction: number, position: number, moved: number): void {
  for (let res = moved; ; res = attempt(ring, entry, direction, position)) {
    if (res > 0) entry.done += res;
    if (entry.done === entry.len || (res <= 0 && res !== EAGAIN && res !== EOPNOTSUPP)) {
      ring.complete(entry, entry.done);
      return;
    }
    if (res <= 0) break;
  }
  transferInPool(ring, entry, direction === TO_WRITE, position);
}

function attempt(ring: SoftRing, entry: Entry, direction: number, position: number): number {
  const { fd, opFlags, done } = entry;
  const { calls } = ring;
  const at = position < 0 ? position : position + done;
  return direction === TO_READ
    ? calls.read(fd, entry.addr + done, entry.len - done, at, opFlags)
    : calls.write(fd, entry.addr + done, entry.len - done, at, opFlags);
}

function park(ring: SoftRing, entry: Entry, direction: number): void {
  const failed = ring.wait(entry, direction);
  if (failed === EPERM) transferInPool(ring, entry, direction === TO_WRITE, -1);
  else if (failed < 0) ring.complete(entry, failed);
}

/**
 * Terminals and some devices: they are asked whether they are ready. As the kernel has it, O_NONBLOCK has these, and
 * only these, answer EAGAIN.
 */
function transferWhenReady(ring: SoftRing, entry: Entry, direction: number, position: number): void {
  const { fd, len } = entry;
  // Files are always ready, and wait all the same: only what epoll takes is known not to.
  if (!ring.readiness.canWait(fd)) {
    transferInPool(ring, entry, direction === TO_WRITE, position);
    return;
  }
  const { calls } = ring;
  const nonBlocking = calls.isNonBlocking(fd);
  if (!nonBlocking && calls.poll(fd, direction === TO_READ ? POLLIN : POLLOUT) === 0) {
    park(ring, entry, direction);
  } else if (direction === TO_READ || nonBlocking) {
    const res =
      direction === TO_READ ? calls.readReady(fd, entry.addr, len) : calls.writeReady(fd, entry.addr, len);
    if (res === EAGAIN && !nonBlocking) park(ring, entry, direction);
    else ring.complete(entry, res);
  } else if (ring.files.isFifo(fd)) writeToFifo(ring, entry);
  // A terminal takes as much as it has room for, and waits for the rest.
  else transferInPool(ring, entry, true, position);
}

/** A FIFO that may be written to has room for a page at least. pipe(7) */
function writeToFifo(ring: SoftRing, entry: Entry): void {
  const { calls } = ring;
  const { fd, len } = entry;
  do {
    const res = calls.writeReady(fd, entry.addr + entry.done, Math.min(len - entry.done, PIPE_BUF));
    if (res <= 0) {
      if (entry.done === 0 && res === EAGAIN) park(ring, entry, TO_WRITE);
      else ring.complete(entry, entry.done > 0 ? entry.done : res);
      return;
    }
    entry.done += res;
  } while (entry.done < len && calls.poll(fd, POLLOUT) === POLLOUT);
  ring.complete(entry, entry.done);
}
