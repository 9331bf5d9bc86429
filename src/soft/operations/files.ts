/**
 * Operations on open files. Transfers that the kernel can do without waiting are done at once (see transfers.ts).
 * Threads of the pool do the other operations, and the rest of those transfers. As with io_uring, changes of a file
 * keep the order of submission.
 */
import { constants } from 'node:fs';
import * as abi from '../../ring/abi/io-uring.js';
import { POSIX_FADV_SEQUENTIAL } from '../../sys/abi/flags.js';
import {
  NR_FADVISE64,
  NR_FALLOCATE,
  NR_FDATASYNC,
  NR_FSYNC,
  NR_FTRUNCATE,
  NR_PREAD64,
  NR_PREADV2,
  NR_PWRITE64,
  NR_PWRITEV2,
  NR_READ,
  NR_WRITE,
} from '../../sys/abi/syscall-numbers.js';
import { libc } from '../../sys/libc/libc.js';
import type { Entry } from '../entry.js';
import type { Host } from '../host.js';

/** Completes an entry with the result of its call. */
export function finish(ring: Host, entry: Entry, res: number): void {
  ring.settle(entry, res);
}

/** Transfers the rest of a READ or a WRITE. @param position in the file, or -1 for the current one. */
export function transferInPool(ring: Host, entry: Entry, writes: boolean, position: number): void {
  const job = ring.pool.job(entry, finishTransfer);
  const { done, opFlags } = entry;
  const fd = ring.pool.hold(job, entry.fd);
  const at = position < 0 ? position : position + done;
  const address = entry.addr + done;
  const length = entry.len - done;
  // Only the vectored calls take flags.
  if (opFlags !== 0) {
    const vector = ring.pool.vector(job, address, length);
    job.set(writes ? NR_PWRITEV2 : NR_PREADV2, fd, vector, 1, at, 0, opFlags);
  } else if (position < 0) job.set(writes ? NR_WRITE : NR_READ, fd, address, length);
  else job.set(writes ? NR_PWRITE64 : NR_PREAD64, fd, address, length, at);
  // Direct writes may run in parallel.
  if (writes && !isDirect(ring, entry.fd)) ring.pool.startChange(job, entry.fd);
  else ring.pool.start(job);
}

/** Whether a descriptor was opened with O_DIRECT: RWF_NOWAIT does not keep such a file from waiting. */
export function isDirect(ring: Host, fd: number): boolean {
  const flags = ring.calls.flagsOf(fd);
  return flags >= 0 && (flags & constants.O_DIRECT) !== 0 && ring.files.isFile(fd);
}

/** Bytes transferred before an error count: the next call meets the error again. */
function finishTransfer(ring: Host, entry: Entry, res: number): void {
  ring.settle(entry, entry.done > 0 ? entry.done + Math.max(res, 0) : res);
}

export function fsync(ring: Host, entry: Entry): void {
  const number = entry.opFlags & abi.FSYNC_DATASYNC ? NR_FDATASYNC : NR_FSYNC;
  const { pool } = ring;
  const job = pool.job(entry, finish);
  pool.start(job.set(number, pool.hold(job, entry.fd), 0, 0));
}

export function ftruncate(ring: Host, entry: Entry): void {
  const { pool } = ring;
  const job = pool.job(entry, finish);
  pool.startChange(job.set(NR_FTRUNCATE, pool.hold(job, entry.fd), entry.off, 0), entry.fd);
}

export function fallocate(ring: Host, entry: Entry): void {
  const { pool } = ring;
  const job = pool.job(entry, finish);
  job.set(NR_FALLOCATE, pool.hold(job, entry.fd), entry.len, entry.off, entry.addr);
  pool.startChange(job, entry.fd);
}

/** Advice about future reads takes effect at once; advice that reads or drops pages may wait. */
export function fadvise(ring: Host, entry: Entry): void {
  const { opFlags } = entry;
  const length = entry.addr || entry.len;
  if (opFlags >= 0 && opFlags <= POSIX_FADV_SEQUENTIAL) {
    ring.complete(entry, libc().syscall(NR_FADVISE64, entry.fd, entry.off, length, opFlags, 0, 0));
    return;
  }
  const { pool } = ring;
  const job = pool.job(entry, finish);
  pool.start(job.set(NR_FADVISE64, pool.hold(job, entry.fd), entry.off, length, opFlags));
}
