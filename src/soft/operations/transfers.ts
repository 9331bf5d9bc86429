/** READ and WRITE. */
import { SQE_ASYNC } from '../../ring/abi/io-uring.js';
import { EAGAIN, EOPNOTSUPP, EPERM, ESPIPE } from '../../sys/abi/errno.js';
import { O_NONBLOCK } from '../calls.js';
import { type Entry, PARKED } from '../entry.js';
import type { Host } from '../host.js';
import { TO_READ, TO_WRITE } from '../watch.js';
import { isDirect, transferInPool } from './files.js';

/** An offset with all bits set means the current position. */
function positionOf(entry: Entry): number {
  return entry.offLow === -1 && entry.offHigh === -1 ? -1 : entry.off;
}

export function read(ring: Host, entry: Entry): void {
  transfer(ring, entry, TO_READ);
}

export function write(ring: Host, entry: Entry): void {
  transfer(ring, entry, TO_WRITE);
}

/** One non-blocking attempt. A file goes to the pool if it does not support that, or if its data is not cached. */
function transfer(ring: Host, entry: Entry, direction: number): void {
  entry.expected = entry.len;
  if (ring.readiness.isBehind(entry, direction)) {
    park(ring, entry, direction);
    return;
  }
  const position = positionOf(entry);
  const writes = direction === TO_WRITE;
  // A non-blocking attempt may write a part, and others may write before the rest.
  const isWhole = writes && (entry.flags & SQE_ASYNC) !== 0 && ring.files.isFile(entry.fd);
  // The number of a pipe may be that of a file which is closed and whose change is not done yet.
  const follows = writes && ring.pool.isChanging(entry.fd) && ring.files.isFile(entry.fd);
  if (entry.place !== PARKED && (isWhole || follows || isDirect(ring, entry.fd))) {
    transferInPool(ring, entry, writes, position);
    return;
  }
  const res = attempt(ring, entry, direction, position);
  // Streams have no positions.
  if (res === ESPIPE && position >= 0)
    transferOf(ring, entry, direction, -1, attempt(ring, entry, direction, -1));
  else transferOf(ring, entry, direction, position, res);
}

/** @param res the result of the first attempt. */
function transferOf(ring: Host, entry: Entry, direction: number, position: number, res: number): void {
  if (res === EAGAIN || res === EOPNOTSUPP) {
    if (ring.files.isFile(entry.fd)) transferInPool(ring, entry, direction === TO_WRITE, position);
    else if (res === EAGAIN) park(ring, entry, direction);
    else transferWithoutNowait(ring, entry, direction, position);
  } else if (res > 0 && res < entry.len && entry.place !== PARKED && ring.files.isFile(entry.fd)) {
    goOn(ring, entry, direction, position, res);
  } else ring.complete(entry, res);
}

/** A file has transferred a cached part, or everything. */
function goOn(ring: Host, entry: Entry, direction: number, position: number, moved: number): void {
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

function attempt(ring: Host, entry: Entry, direction: number, position: number): number {
  const { fd, opFlags, done } = entry;
  const { calls } = ring;
  const at = position < 0 ? position : position + done;
  return direction === TO_READ
    ? calls.read(fd, entry.addr + done, entry.len - done, at, opFlags)
    : calls.write(fd, entry.addr + done, entry.len - done, at, opFlags);
}

function park(ring: Host, entry: Entry, direction: number): void {
  const failed = ring.wait(entry, direction);
  if (failed === EPERM) transferInPool(ring, entry, direction === TO_WRITE, -1);
  else if (failed < 0) ring.complete(entry, failed);
}

/**
 * FIFOs, terminals and some devices have no non-blocking calls. A write to one writes all bytes, as the kernel's worker
 * threads do. As in the kernel, with O_NONBLOCK these, and only these, return EAGAIN.
 */
function transferWithoutNowait(ring: Host, entry: Entry, direction: number, position: number): void {
  const { fd, len, done } = entry;
  const { calls, readiness } = ring;
  // A descriptor that epoll does not accept is always ready, and may block nevertheless.
  if (entry.place !== PARKED && !readiness.canWait(fd)) {
    transferInPool(ring, entry, direction === TO_WRITE, position);
    return;
  }
  const writes = direction === TO_WRITE;
  const flags = calls.flagsOf(fd);
  if (flags & O_NONBLOCK) {
    const res = calls.transferAsSet(writes, fd, entry.addr + done, len - done);
    ring.complete(entry, done > 0 ? done + Math.max(res, 0) : res);
    return;
  }
  const res = calls.transferNonBlocking(writes, fd, entry.addr + done, len - done, flags);
  if (writes && res > 0) entry.done += res;
  if (res === EAGAIN || (writes && res > 0 && entry.done < len)) park(ring, entry, direction);
  else ring.complete(entry, entry.done > 0 ? entry.done : res);
}
