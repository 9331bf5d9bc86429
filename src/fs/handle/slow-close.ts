import { constants } from 'node:fs';
import type { Loop } from '../../loop/loop.js';
import { STATX } from '../../sys/abi/structs.js';
import { FREED_MAX } from '../inline/inline-writes.js';

/**
 * Whether closing a file may free much, or start to write much, as ext4 does for a file that was truncated to 0 before.
 * @param flags those that it was opened with.
 */
export function closesSlowly(loop: Loop, fd: number, flags: number): boolean {
  if (loop.closing || loop.calls.statFd(fd) !== 0) return false;
  const { statx } = loop.calls;
  const isFile = (statx[STATX.stx_mode / 4]! & constants.S_IFMT) === constants.S_IFREG;
  const isLarge = statx[STATX.stx_size / 4 + 1]! !== 0 || statx[STATX.stx_size / 4]! > FREED_MAX;
  const isGone = statx[STATX.stx_nlink / 4]! === 0;
  return isFile && isLarge && (isGone || (flags & constants.O_TRUNC) !== 0);
}
