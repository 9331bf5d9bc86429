/** Operations on time and on other operations. */
import * as abi from '../../ring/abi/io-uring.js';
import { EALREADY, EBADF, EINTR, EINVAL, ENOENT, ETIME } from '../../sys/abi/errno.js';
import { libc } from '../../sys/libc/libc.js';
import { type Entry, HANDED, RUNNING } from '../entry.js';
import type { Host } from '../host.js';
import { CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_REALTIME } from '../timeouts.js';

export function nop(ring: Host, entry: Entry): void {
  const { opFlags } = entry;
  if (opFlags & ~abi.NOP_INJECT_RESULT) ring.complete(entry, EINVAL);
  else ring.complete(entry, opFlags & abi.NOP_INJECT_RESULT ? entry.len | 0 : 0);
}

// --- Timeouts -------------------------------------------------------------------------------------

const TIMEOUT_FLAGS =
  abi.TIMEOUT_ABS | abi.TIMEOUT_CLOCK_MASK | abi.TIMEOUT_ETIME_SUCCESS | abi.TIMEOUT_MULTISHOT;

export function timeout(ring: Host, entry: Entry): void {
  if (entry.place === RUNNING) begin(ring, entry);
  else expire(ring, entry);
}

function begin(ring: Host, entry: Entry): void {
  const { opFlags } = entry;
  const clocks = opFlags & abi.TIMEOUT_CLOCK_MASK;
  const multishot = (opFlags & abi.TIMEOUT_MULTISHOT) !== 0;
  const wrong =
    (opFlags & ~TIMEOUT_FLAGS) !== 0 ||
    clocks === abi.TIMEOUT_CLOCK_MASK ||
    (multishot && (opFlags & abi.TIMEOUT_ABS) !== 0) ||
    entry.len !== 1 ||
    entry.group !== 0 ||
    entry.file !== 0;
  const time = wrong ? Number.NaN : ring.timeouts.read(entry.addr);
  if (Number.isNaN(time)) {
    ring.complete(entry, EINVAL);
    return;
  }
  if (opFlags & abi.TIMEOUT_ETIME_SUCCESS) entry.expected = ETIME;
  entry.interval = time;
  entry.repeats = multishot ? entry.offLow >>> 0 : 1;
  const now = ring.timeouts.now();
  entry.deadline = now + (opFlags & abi.TIMEOUT_ABS ? time - ring.timeouts.now(clockOf(clocks)) : time);
  ring.waitUntil(entry);
  if (!multishot && entry.offLow !== 0) ring.waitForCompletions(entry, entry.offLow);
}

function clockOf(flags: number): number {
  if (flags & abi.TIMEOUT_BOOTTIME) return CLOCK_BOOTTIME;
  return flags & abi.TIMEOUT_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;
}

/** Its time has come. A multishot timeout without a repeat count goes on for ever. */
function expire(ring: Host, entry: Entry): void {
  const lasts = (entry.opFlags & abi.TIMEOUT_MULTISHOT) !== 0 && entry.repeats !== 1;
  if (!lasts) {
    ring.complete(entry, ETIME);
    return;
  }
  if (entry.repeats !== 0) entry.repeats--;
  ring.post(entry, ETIME, 0);
  // As the kernel counts: a delayed one does not catch up, and one without an interval must not loop within one look.
  entry.deadline = ring.timeouts.now() + Math.max(entry.interval, 1);
  ring.timeouts.add(entry);
}

// --- Cancelling -----------------------------------------------------------------------------------

const CANCEL_FLAGS =
  abi.ASYNC_CANCEL_ALL |
  abi.ASYNC_CANCEL_FD |
  abi.ASYNC_CANCEL_ANY |
  abi.ASYNC_CANCEL_FD_FIXED |
  abi.ASYNC_CANCEL_USERDATA |
  abi.ASYNC_CANCEL_OP;

export function asyncCancel(ring: Host, entry: Entry): void {
  const { opFlags } = entry;
  const byFd = opFlags & (abi.ASYNC_CANCEL_FD | abi.ASYNC_CANCEL_OP);
  if (
    opFlags & ~CANCEL_FLAGS ||
    entry.offLow !== 0 ||
    entry.offHigh !== 0 ||
    entry.file !== 0 ||
    (opFlags & abi.ASYNC_CANCEL_ANY && byFd)
  ) {
    ring.complete(entry, EINVAL);
    return;
  }
  if (opFlags & abi.ASYNC_CANCEL_FD && ring.calls.flagsOf(entry.fd) < 0) {
    ring.complete(entry, EBADF);
    return;
  }
  if (opFlags & (abi.ASYNC_CANCEL_ALL | abi.ASYNC_CANCEL_ANY)) cancelAll(ring, entry);
  else {
    const target = find(ring, entry);
    ring.complete(entry, target === null ? ENOENT : cancelOne(ring, target));
  }
}

/** The first entry that an ASYNC_CANCEL matches. */
function find(ring: Host, cancel: Entry): Entry | null {
  if ((cancel.opFlags & ~abi.ASYNC_CANCEL_USERDATA) === 0) {
    return ring.waiting.findByUserData(cancel.addrLow, cancel.addrHigh);
  }
  return ring.waiting.find(target => isMeant(target, cancel));
}

function isMeant(target: Entry, { opFlags, fd, len, addrLow, addrHigh }: Entry): boolean {
  if (opFlags & abi.ASYNC_CANCEL_ANY) return true;
  if (opFlags & abi.ASYNC_CANCEL_FD && target.fd !== fd) return false;
  if (opFlags & abi.ASYNC_CANCEL_OP && target.op !== len) return false;
  const byUserData =
    opFlags & abi.ASYNC_CANCEL_USERDATA || !(opFlags & (abi.ASYNC_CANCEL_FD | abi.ASYNC_CANCEL_OP));
  return !byUserData || (target.low === addrLow && target.high === addrHigh);
}

function cancelAll(ring: Host, cancel: Entry): void {
  let count = 0;
  for (let target = ring.waiting.first; target !== null; ) {
    const next = target.nextWaiting;
    // An entry that was handed over and cannot be stopped counts too, as it does in the kernel, which waits for it.
    if (isMeant(target, cancel)) {
      cancelOne(ring, target);
      count++;
    }
    target = next;
  }
  ring.complete(cancel, count);
}

/** 0, or EALREADY if the entry runs to its end. */
function cancelOne(ring: Host, target: Entry): number {
  if (target.place === HANDED) return target.stop?.(target) ? 0 : EALREADY;
  ring.cancel(target);
  return 0;
}

// --- Closing --------------------------------------------------------------------------------------

/** If close(2) was interrupted, it has closed the descriptor nevertheless. */
function finishClose(ring: Host, entry: Entry, res: number): void {
  ring.settle(entry, res === EINTR ? 0 : res);
}

/** Cancels what waits for a descriptor: the kernel would let it wait on the old file, which is out of reach afterwards. */
export function beforeClose(ring: Host, fd: number): void {
  for (let other = ring.readiness.anyOf(fd); other !== null; other = ring.readiness.anyOf(fd)) {
    ring.cancel(other);
  }
  for (let other = ring.retrying.first; other !== null; ) {
    const { next } = other;
    if (other.fd === fd) ring.cancel(other);
    other = next;
  }
  ring.readiness.forget(fd);
}

/** Closes a descriptor, or with a number in `file` a registered file. */
export function close(ring: Host, entry: Entry): void {
  let { fd } = entry;
  if (entry.file !== 0) {
    const place = entry.file - 1;
    fd = ring.registered[place] ?? -1;
    if (entry.fd !== 0 || fd < 0) {
      ring.complete(entry, entry.fd === 0 ? EBADF : EINVAL);
      return;
    }
    ring.registered[place] = -1;
  }
  beforeClose(ring, fd);
  if (ring.files.closesSlowly(entry, fd)) ring.pool.closeFile(entry, finishClose, fd);
  else ring.complete(entry, libc().close(fd));
}
