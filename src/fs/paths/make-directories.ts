/** `mkdir` with `recursive` by plain calls, if the directories above are cached. */
import { dirname, normalize } from 'node:path';
import type { Loop } from '../../loop/loop.js';
import { EAGAIN, EEXIST, ENOENT, EOPNOTSUPP } from '../../sys/abi/errno.js';
import { AT_FDCWD } from '../../sys/abi/flags.js';
import { directoryCalls } from '../../sys/calls/directory-calls.js';
import { briefCalls, DIRTIED } from '../inline/brief-calls.js';
import { type Device, devicesOf } from '../inline/devices.js';

/** The cost of a directory, in calls. */
const CALLS = 4;

/** The result: whether it is done, and the first directory that was created, if any. */
interface Made {
  readonly done: boolean;
  readonly first?: string | undefined;
}

const NOT_DONE: Made = { done: false };
const NOTHING_MADE: Made = { done: true };

/**
 * Creates a directory and those above it. If it is not done, Node can try again: it reports the error, or waits for the
 * device.
 */
export function makeDirectories(loop: Loop, path: string, mode: number): Made {
  // Node interprets such paths by their text, with its own rules.
  if (path === '' || normalize(path) !== path || path.endsWith('/') || path.startsWith('..')) return NOT_DONE;
  const missing: string[] = [];
  for (let above = path; ; above = dirname(above)) {
    if (!loop.inline.take(0, CALLS)) return NOT_DONE;
    const found = look(loop, above);
    if (typeof found !== 'number')
      return missing.length === 0 ? NOTHING_MADE : make(loop, found, missing, mode);
    // A name that is not cached may be missing.
    if ((found !== ENOENT && found !== EAGAIN) || above === dirname(above)) return NOT_DONE;
    missing.push(above);
  }
}

/** Creates directories on a device, the last one first. */
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
    // If it exists, it is cached by now.
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
