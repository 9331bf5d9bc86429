/** Converts statx(2) results to `fs.Stats`. */

import { type BigIntStats, fstatSync, Stats } from 'node:fs';
import { dateAt } from '../loop/real-timers.js';
import { STATX, STATX_TIMESTAMP } from '../sys/abi/structs.js';

const TWO_32 = 2 ** 32;
const NSEC = STATX_TIMESTAMP.tv_nsec / 4;
/** Node 22 and later create the Dates on first access. */
const LAZY_DATES = Object.hasOwn(Stats.prototype, 'atime');

type Writable<T> = { -readonly [key in keyof T]: T[key] };

/** dev_t from its parts, as glibc's makedev(3) joins them. */
function makeDev(major: number, minor: number): number {
  const high = (major & 0xfffff000) * TWO_32 + (minor & 0xffffff00) * 2 ** 12;
  return high + ((major & 0xfff) << 8) + (minor & 0xff);
}

function u32(statx: Uint32Array, at: number): number {
  return statx[at >> 2]!;
}

function u64(statx: Uint32Array, at: number): number {
  return statx[at >> 2]! + statx[(at >> 2) + 1]! * TWO_32;
}

/** Milliseconds since 1970, with fractions. */
function time(statx: Uint32Array, at: number): number {
  const word = at >> 2;
  const seconds = (statx[word + 1]! | 0) * TWO_32 + statx[word]!;
  return seconds * 1000 + statx[word + NSEC]! / 1e6;
}

/** Node rounds to the nearest millisecond, halves up. */
function date(ms: number): Date {
  return dateAt(Math.round(ms));
}

/** A constructor with the prototype of Node's, so that all its properties are own properties. */
function FileStats(this: Writable<Stats>, statx: Uint32Array): void {
  this.dev = makeDev(u32(statx, STATX.stx_dev_major), u32(statx, STATX.stx_dev_minor));
  this.mode = u32(statx, STATX.stx_mode) & 0xffff;
  this.nlink = u32(statx, STATX.stx_nlink);
  this.uid = u32(statx, STATX.stx_uid);
  this.gid = u32(statx, STATX.stx_gid);
  this.rdev = makeDev(u32(statx, STATX.stx_rdev_major), u32(statx, STATX.stx_rdev_minor));
  this.blksize = u32(statx, STATX.stx_blksize);
  this.ino = u64(statx, STATX.stx_ino);
  this.size = u64(statx, STATX.stx_size);
  this.blocks = u64(statx, STATX.stx_blocks);
  this.atimeMs = time(statx, STATX.stx_atime);
  this.mtimeMs = time(statx, STATX.stx_mtime);
  this.ctimeMs = time(statx, STATX.stx_ctime);
  this.birthtimeMs = time(statx, STATX.stx_btime);
  if (LAZY_DATES) return;
  this.atime = date(this.atimeMs);
  this.mtime = date(this.mtimeMs);
  this.ctime = date(this.ctimeMs);
  this.birthtime = date(this.birthtimeMs);
}
FileStats.prototype = Stats.prototype;

/** The `fs.Stats` of a struct statx. */
export function statsOf(statx: Uint32Array): Stats {
  return new (FileStats as unknown as new (statx: Uint32Array) => Stats)(statx);
}

/** The prototype of a class that Node does not export. */
let bigIntStats: object | undefined;

function findBigIntStats(): object {
  // From a descriptor, since Node's permission model may allow no path at all. libuv has some open.
  for (let fd = 0; ; fd++) {
    try {
      return Object.getPrototypeOf(fstatSync(fd, { bigint: true })) as object;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBADF') throw error;
    }
  }
}

function big64(statx: Uint32Array, at: number): bigint {
  return (BigInt(statx[(at >> 2) + 1]!) << 32n) | BigInt(statx[at >> 2]!);
}

/** Nanoseconds since 1970. */
function bigTime(statx: Uint32Array, at: number): bigint {
  return BigInt.asIntN(64, big64(statx, at)) * 1_000_000_000n + BigInt(statx[(at >> 2) + NSEC]!);
}

/** The `fs.BigIntStats` of a struct statx. */
export function bigIntStatsOf(statx: Uint32Array): BigIntStats {
  bigIntStats ??= findBigIntStats();
  const stats = Object.create(bigIntStats) as Writable<BigIntStats>;
  const plain = statsOf(statx);
  stats.dev = BigInt(plain.dev);
  stats.mode = BigInt(plain.mode);
  stats.nlink = BigInt(plain.nlink);
  stats.uid = BigInt(plain.uid);
  stats.gid = BigInt(plain.gid);
  stats.rdev = BigInt(plain.rdev);
  stats.blksize = BigInt(plain.blksize);
  stats.ino = big64(statx, STATX.stx_ino);
  stats.size = big64(statx, STATX.stx_size);
  stats.blocks = big64(statx, STATX.stx_blocks);
  const atimeNs = bigTime(statx, STATX.stx_atime);
  const mtimeNs = bigTime(statx, STATX.stx_mtime);
  const ctimeNs = bigTime(statx, STATX.stx_ctime);
  const birthtimeNs = bigTime(statx, STATX.stx_btime);
  stats.atimeMs = atimeNs / 1_000_000n;
  stats.mtimeMs = mtimeNs / 1_000_000n;
  stats.ctimeMs = ctimeNs / 1_000_000n;
  stats.birthtimeMs = birthtimeNs / 1_000_000n;
  stats.atimeNs = atimeNs;
  stats.mtimeNs = mtimeNs;
  stats.ctimeNs = ctimeNs;
  stats.birthtimeNs = birthtimeNs;
  if (LAZY_DATES) return stats;
  stats.atime = date(Number(stats.atimeMs));
  stats.mtime = date(Number(stats.mtimeMs));
  stats.ctime = date(Number(stats.ctimeMs));
  stats.birthtime = date(Number(stats.birthtimeMs));
  return stats;
}
