/** Copies files, and trees of them. */
import { type CopyOptions, constants, type PathLike } from 'node:fs';
import type { Loop } from '../../loop/loop.js';
import { AT_FDCWD } from '../../sys/abi/flags.js';
import { STATX } from '../../sys/abi/structs.js';
import { directoryCalls } from '../../sys/calls/directory-calls.js';
import { MODE_BITS, textPath } from '../arguments.js';
import { briefCalls, DIRTIED } from '../inline/brief-calls.js';
import { type Device, devicesOf } from '../inline/devices.js';
import { changingLoop } from '../inline/walk.js';
import { promises } from '../node-promises.js';
import { lstat } from '../paths/path-calls.js';
import { COPIES_NEW_TREES_AT_ONCE } from '../running-node.js';
import {
  changeMode,
  copyAsked,
  type Filter,
  type Placed,
  setTimes,
  TreeCopy,
  type TreeOptions,
} from './copy-tree.js';

const DEFAULTS: TreeOptions = {
  dereference: false,
  errorOnExist: false,
  filter: undefined,
  force: true,
  preserveTimestamps: false,
  recursive: false,
  verbatimSymlinks: false,
};

/** The cost of recreating a directory, in calls. */
const MAKE_CALLS = 8;

/**
 * Copies a file, or with `recursive` a directory and everything in it. Plain calls walk the tree. Node checks the two
 * paths first, and copies what is not cached, large or unusual.
 */
export async function cp(src: PathLike, dest: PathLike, options?: CopyOptions): Promise<void> {
  const complete = plainOptions(options);
  const from = complete === undefined ? undefined : textPath(src);
  const to = complete === undefined ? undefined : textPath(dest);
  const loop = from === undefined || to === undefined ? undefined : changingLoop();
  if (loop === undefined) return promises.cp(src as string, dest as string, options);
  const source = openSource(loop, from!, complete!);
  if (source === undefined) return promises.cp(from!, to!, complete as CopyOptions);
  try {
    await copyTree(loop, source, to!, complete!);
  } finally {
    directoryCalls().close(source.fd);
  }
}

/** A directory that plain calls can copy; undefined if it is none, or on a device that is slow now. */
function openSource(loop: Loop, path: string, { dereference }: TreeOptions): Placed | undefined {
  if (!loop.inline.take()) return undefined;
  const source = openPlaced(loop, path, dereference);
  if (source === undefined || !briefCalls(loop).isSlow(source.device)) return source;
  directoryCalls().close(source.fd);
  return undefined;
}

/** Opens a cached directory of a local file system. `loop.calls.statx` then has its attributes. */
function openPlaced(loop: Loop, path: string, follow: boolean): Placed | undefined {
  const calls = directoryCalls();
  const fd = calls.openPath(path, follow);
  if (fd < 0) return undefined;
  const device = devicesOf(loop).local(fd);
  if (device !== null) return { fd, path, device };
  calls.close(fd);
  return undefined;
}

async function copyTree(loop: Loop, from: Placed, dest: string, options: TreeOptions): Promise<void> {
  const { dereference, filter, preserveTimestamps } = options;
  const mode = loop.calls.statx[STATX.stx_mode / 4]! & MODE_BITS;
  const isNew = !(await exists(dest));
  if (COPIES_NEW_TREES_AT_ONCE && isNew && filter === undefined && !dereference) {
    return promises.cp(from.path, dest, options as CopyOptions);
  }
  if (!(await isWanted(from.path, dest, options))) return;
  const target = openTarget(loop, dest, isNew, dereference);
  if (target === undefined) {
    // With its final mode nothing may be written to it.
    if (isNew) await promises.rmdir(dest).catch(() => {});
    return copyAsked(from.path, dest, options);
  }
  try {
    await new TreeCopy(loop, options).copyInto(from, target);
    if (COPIES_NEW_TREES_AT_ONCE && preserveTimestamps) setTimes(loop, from.fd, target.fd);
    if (isNew) await changeMode(loop, target, mode);
  } finally {
    directoryCalls().close(target.fd);
  }
}

/**
 * Opens the target directory; undefined if that may take long. A new one, which Node has created, is recreated: it gets
 * its final mode at the end.
 */
function openTarget(loop: Loop, path: string, isNew: boolean, follow: boolean): Placed | undefined {
  if (!loop.inline.enabled) return undefined;
  const found = openPlaced(loop, path, follow);
  if (found === undefined || !isNew) return found;
  directoryCalls().close(found.fd);
  return makeAgain(loop, path, found.device) ? openPlaced(loop, path, follow) : undefined;
}

function makeAgain(loop: Loop, path: string, device: Device): boolean {
  const calls = directoryCalls();
  const brief = briefCalls(loop);
  if (!brief.begin(device, 2 * DIRTIED, 0, MAKE_CALLS)) return false;
  const name = calls.path(path);
  const done = calls.rmdir(AT_FDCWD, name) === 0 && calls.mkdir(AT_FDCWD, name, 0o777) === 0;
  brief.end(device);
  return done;
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * Lets Node check the two paths and create the directory, without copying its contents; false if the filter rejects it.
 */
async function isWanted(from: string, to: string, options: TreeOptions): Promise<boolean> {
  let wanted: unknown;
  let asked = false;
  const filter: Filter = async (source, dest) => {
    if (asked) return false;
    asked = true;
    wanted = options.filter === undefined || (await options.filter(source, dest));
    return wanted;
  };
  await promises.cp(from, to, { ...options, filter } as CopyOptions);
  return Boolean(wanted);
}

/** Options for a tree, if they are valid. */
function plainOptions(options: CopyOptions | undefined): TreeOptions | undefined {
  if (typeof options !== 'object' || options === null) return undefined;
  // Like Node, which does not see getters that are not enumerable.
  const all = { ...DEFAULTS, ...options };
  if (!all.recursive) return undefined;
  const { dereference, errorOnExist, filter, force, mode, preserveTimestamps, recursive, verbatimSymlinks } =
    all;
  const flags = [dereference, errorOnExist, force, preserveTimestamps, recursive, verbatimSymlinks];
  if (!flags.every(flag => typeof flag === 'boolean') || (dereference && verbatimSymlinks)) return undefined;
  if (filter !== undefined && typeof filter !== 'function') return undefined;
  // Node asks the file system to share blocks.
  if (mode !== undefined && mode !== null && mode !== 0 && mode !== constants.COPYFILE_EXCL) return undefined;
  return all as TreeOptions;
}
