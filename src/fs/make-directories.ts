/** `mkdir` with `recursive` by plain calls, where the directories above are cached. */
import { dirname, normalize } from 'node:path';
import type { Loop } from '../loop/loop.js';
import { directoryCalls } from '../ring/directory-calls.js';
import { EAGAIN, EEXIST, ENOENT, EOPNOTSUPP } from '../ring/errno.js';
import { AT_FDCWD } from '../ring/sqe/paths.js';
import { briefCalls, DIRTIED } from './brief-calls.js';
import { type Device, devicesOf } from './devices.js';

/** What each directory costs, in calls. */
const CALLS = 4;

/** What has come of it: whether it is done, and the first directory that was made, if any was. */
export interface Made {
  readonly done: boolean;
  readonly first?: string | undefined;
}

const NOT_DONE: Made = { done: false };
const NOTHING_MADE: Made = { done: true };

/**
 * Makes a directory and those above it. What is not done Node can try again, which says what is wrong, or waits for
 * the device.
 */
export function makeDirectories(loop: Loop, path: string, mode: number): Made {
  // What such a path comes to is a matter of its text, by rules of Node's own.
  if (path === '' || normalize(path) !== path || path.endsWith('/') || path.startsWith('..')) return NOT_DONE;
  const missing: string[] = [];
  for (let above = path; ; above = dirname(above)) {
    if (!loop.inline.take(0, CALLS)) return NOT_DONE;
    const found = look(loop, above);
    if (typeof found !== 'number')
      return missing.length === 0 ? NOTHING_MADE : make(loop, found, missing, mode);
    // What is not cached may be missing.
    if ((found !== ENOENT && found !== EAGAIN) || above === dirname(above)) return NOT_DONE;
    missing.push(above);
  }
}

/** Makes directories on a device, the last one first. */
function make(loop: Loop, above: Device, missing: readonly string[], mode: number): Made {
  const calls = directoryCalls();
  const brief = briefCalls(loop);
  let device = above;
  let first: string | undefined;
  for (const path of missing.toReversed()) {
    if (!brief.begin(device, DIRTIED, 0, CALLS)) return { done: false, first };
    const failed = calls.mkdir(AT_FDCWD, calls.path(path), mode);
    brief.end(device);
    if (failed === 0) {
      first ??= path;
      continue;
    }
    // If it was there, it is cached by now.
    const found = failed === EEXIST ? look(loop, path) : failed;
    if (typeof found === 'number') return { done: false, first };
    device = found;
  }
  return { done: true, first };
}

/** The device of a directory; a negative errno if it is none, EAGAIN if it is not cached. */
function look(loop: Loop, path: string): Device | number {
  const calls = directoryCalls();
  const fd = calls.openPath(path, true);
  if (fd < 0) return fd;
  const device = devicesOf(loop).local(fd);
  calls.close(fd);
  return device ?? EOPNOTSUPP;
}
