import { Stats } from 'node:fs';
import { STATX, STATX_TIMESTAMP } from '../ring/structs.js';

/** dev_t from its parts, as glibc's makedev(3) joins them. */
function makeDev(major: number, minor: number): number {
  const high = (major & 0xfffff000) * 2 ** 32 + (minor & 0xffffff00) * 2 ** 12;
  return high + ((major & 0xfff) << 8) + (minor & 0xff);
}

function readU64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
}

/** Milliseconds since 1970, with fractions. */
function readTime(bytes: Buffer, at: number): number {
  const seconds = bytes.readInt32LE(at + 4) * 2 ** 32 + bytes.readUInt32LE(at);
  return seconds * 1000 + bytes.readUInt32LE(at + STATX_TIMESTAMP.tv_nsec) / 1e6;
}

/** The `fs.Stats` of a struct statx. */
export function statsOf(statx: Buffer): Stats {
  const stats = Object.create(Stats.prototype) as { -readonly [key in keyof Stats]: Stats[key] };
  stats.dev = makeDev(statx.readUInt32LE(STATX.stx_dev_major), statx.readUInt32LE(STATX.stx_dev_minor));
  stats.mode = statx.readUInt16LE(STATX.stx_mode);
  stats.nlink = statx.readUInt32LE(STATX.stx_nlink);
  stats.uid = statx.readUInt32LE(STATX.stx_uid);
  stats.gid = statx.readUInt32LE(STATX.stx_gid);
  stats.rdev = makeDev(statx.readUInt32LE(STATX.stx_rdev_major), statx.readUInt32LE(STATX.stx_rdev_minor));
  stats.blksize = statx.readUInt32LE(STATX.stx_blksize);
  stats.ino = readU64(statx, STATX.stx_ino);
  stats.size = readU64(statx, STATX.stx_size);
  stats.blocks = readU64(statx, STATX.stx_blocks);
  stats.atimeMs = readTime(statx, STATX.stx_atime);
  stats.mtimeMs = readTime(statx, STATX.stx_mtime);
  stats.ctimeMs = readTime(statx, STATX.stx_ctime);
  stats.birthtimeMs = readTime(statx, STATX.stx_btime);
  stats.atime = toDate(stats.atimeMs);
  stats.mtime = toDate(stats.mtimeMs);
  stats.ctime = toDate(stats.ctimeMs);
  stats.birthtime = toDate(stats.birthtimeMs);
  return stats as Stats;
}

/** Node rounds to the nearest millisecond, halves up. */
function toDate(ms: number): Date {
  return new Date(Math.round(ms));
}
