/**
 * With O_DIRECT, positions and lengths are multiples of the sector size. In practice no file system has larger sectors
 * than this; if one has, the kernel returns EINVAL.
 */
export const SECTOR_MAX = 4096;

/** The size of the sectors that `length` bytes need. */
export function sectorsOf(length: number): number {
  return Math.ceil(length / SECTOR_MAX) * SECTOR_MAX;
}
