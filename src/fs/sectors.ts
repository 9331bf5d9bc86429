/**
 * With O_DIRECT positions and lengths are of whole sectors. No file system's are larger than this, in
 * practice; the kernel says EINVAL if one's are.
 */
export const SECTOR_MAX = 4096;

/** As many bytes as fill the sectors that `length` bytes need. */
export function sectorsOf(length: number): number {
  return Math.ceil(length / SECTOR_MAX) * SECTOR_MAX;
}
