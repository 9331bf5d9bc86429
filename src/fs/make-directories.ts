/** `mkdir` with `recursive` by plain calls, where the directories above are cached. */
import { dirname, normalize } from 'node:path';
import type { Loop } from '../loop/loop.js';
import { directoryCalls, Names } from '../ring/directory-calls.js';
import { ENOENT } from '../ring/errno.js';
import { AT_FDCWD } from '../ring/sqe/paths.js';
import { ELSEWHERE, inlineFiles } from './inline.js';

/** What each directory costs, in calls. */
const CALLS = 4;

/** What has come of it: whether it is done, and then the first directory that was made, if any was. */
export interface Made {
  readonly done: boolean;
  readonly first?: string;
}

const NOT_DONE: Made = { done: false };
const NOTHING_MADE: Made = { done: true };

/** Makes a directory and those above it. What is not done can be tried again by Node, which says what is wrong. */
export function makeDirectories(loop: Loop, path: string, mode: number): Made {
  // What such a path comes to is a matter of its text, by rules of Node's own.
  if (path === '' || normalize(path) !== path || path.endsWith('/') || path.startsWith('..')) return NOT_DONE;
  const missing: string[] = [];
  for (let above = path; ; above = dirname(above)) {
    if (!loop.inline.take(0, CALLS)) return NOT_DONE;
    const found = look(loop, above);
    if (found === 0) break;
    if (found !== ENOENT || above === dirname(above)) return NOT_DONE;
    missing.push(above);
  }
  const calls = directoryCalls();
  for (const above of missing.reverse()) {
    const names = Names.of(above);
    if (calls.mkdir(AT_FDCWD, names.name, mode) !== 0) return NOT_DONE;
  }
  return missing.length === 0 ? NOTHING_MADE : { done: true, first: missing[0]! };
}

/** 0 if a path is a directory of a local file system; else a negative errno. */
function look(loop: Loop, path: string): number {
  const calls = directoryCalls();
  const fd = calls.openPath(path, true);
  if (fd < 0) return fd;
  const local = inlineFiles(loop).place(fd) !== ELSEWHERE;
  calls.close(fd);
  return local ? 0 : -1;
}
