/**
 * Operations that change names and attributes. A thread of the pool does them, because each may wait for a disk or a
 * server.
 */
import {
  NR_FGETXATTR,
  NR_FSETXATTR,
  NR_GETXATTR,
  NR_LINKAT,
  NR_MKDIRAT,
  NR_RENAMEAT2,
  NR_SETXATTR,
  NR_SYMLINKAT,
  NR_UNLINKAT,
} from '../../sys/abi/syscall-numbers.js';
import type { Entry } from '../entry.js';
import type { Host } from '../host.js';
import { finish } from './files.js';

export function renameat(ring: Host, entry: Entry): void {
  twoPaths(ring, entry, NR_RENAMEAT2);
}

export function linkat(ring: Host, entry: Entry): void {
  twoPaths(ring, entry, NR_LINKAT);
}

function twoPaths(ring: Host, entry: Entry, number: number): void {
  const { pool } = ring;
  const job = pool.job(entry, finish);
  const from = pool.path(job, entry.addr);
  const to = pool.path(job, entry.off);
  pool.start(job.set(number, pool.hold(job, entry.fd), from, entry.len | 0, to, entry.opFlags));
}

export function symlinkat(ring: Host, entry: Entry): void {
  const { pool } = ring;
  const job = pool.job(entry, finish);
  const text = pool.path(job, entry.addr);
  pool.start(job.set(NR_SYMLINKAT, text, pool.hold(job, entry.fd), pool.path(job, entry.off)));
}

export function unlinkat(ring: Host, entry: Entry): void {
  const { pool } = ring;
  const job = pool.job(entry, finish);
  pool.start(job.set(NR_UNLINKAT, pool.hold(job, entry.fd), pool.path(job, entry.addr), entry.opFlags));
}

export function mkdirat(ring: Host, entry: Entry): void {
  const { pool } = ring;
  const job = pool.job(entry, finish);
  pool.start(job.set(NR_MKDIRAT, pool.hold(job, entry.fd), pool.path(job, entry.addr), entry.len));
}

export function getxattr(ring: Host, entry: Entry): void {
  xattr(ring, entry, NR_GETXATTR, true);
}

export function setxattr(ring: Host, entry: Entry): void {
  xattr(ring, entry, NR_SETXATTR, true);
}

export function fgetxattr(ring: Host, entry: Entry): void {
  xattr(ring, entry, NR_FGETXATTR, false);
}

export function fsetxattr(ring: Host, entry: Entry): void {
  xattr(ring, entry, NR_FSETXATTR, false);
}

/** The calls on an open file take its descriptor instead of a path. */
function xattr(ring: Host, entry: Entry, number: number, byPath: boolean): void {
  const { pool } = ring;
  const job = pool.job(entry, finish);
  const name = pool.path(job, entry.addr);
  const target = byPath ? pool.path(job, entry.addr3) : pool.hold(job, entry.fd);
  pool.start(job.set(number, target, name, entry.off, entry.len, entry.opFlags));
}
