/** Removes files, and trees of them. */
import { constants, type PathLike, type RmOptions } from 'node:fs';
import type { Loop } from '../../loop/loop.js';
import { EAGAIN, EMFILE, ENFILE, ENOENT, isInterrupted } from '../../sys/abi/errno.js';
import { AT_FDCWD } from '../../sys/abi/flags.js';
import { STATX } from '../../sys/abi/structs.js';
import { DT_DIR, DT_UNKNOWN, directoryCalls, Names } from '../../sys/calls/directory-calls.js';
import { systemError } from '../../sys/errors/errors.js';
import { toPath } from '../arguments.js';
import { devicesOf } from '../inline/devices.js';
import { Share, walkingLoop } from '../inline/walk.js';
import { promises } from '../node-promises.js';
import { inTurn } from './removals.js';
import { Removal } from './remove-tree.js';
import { TreeFolder } from './tree-folder.js';

const DEFAULTS = { force: false, maxRetries: 0, recursive: false, retryDelay: 100 };

const { S_IFDIR, S_IFMT } = constants;

/** Paths that end in dots, and the root. */
const ODD_END = /(^|\/)\.{0,2}$/;

const SLASH = 47;

interface Target {
  readonly path: PathLike;
  /** The path without slashes at its end: with one, a link would be followed. */
  readonly bare: Buffer;
  readonly isSlashed: boolean;
}

/**
 * Removes a path, and with `recursive` also a directory and everything in it. Plain calls remove cached entries of local
 * file systems, and the backend the others. Node does the rest, and reports wrong arguments.
 */
export async function rm(path: PathLike, options?: RmOptions): Promise<void> {
  const complete = plainOptions(options);
  const target = complete === undefined ? undefined : plainTarget(path);
  const loop = target === undefined ? undefined : walkingLoop();
  if (loop === undefined || !loop.supports('unlinkat')) return promises.rm(path, options);
  return remove(loop, target!, complete!);
}

/**
 * Node never empties a directory of a local file system: where a link replaces a directory meanwhile, it follows that.
 */
async function remove(
  loop: Loop,
  { path, bare, isSlashed }: Target,
  options: typeof DEFAULTS,
): Promise<void> {
  const share = new Share(loop);
  if (!loop.inline.take()) await share.next();
  const calls = directoryCalls();
  const name = Names.of(bare);
  let fd = calls.locate(AT_FDCWD, name.name);
  if (fd === EAGAIN || isInterrupted(fd)) {
    await promises.lstat(bare).catch(() => {});
    share.check();
    fd = calls.locateWaiting(AT_FDCWD, name.name);
  }
  if (fd === ENOENT && options.force) return;
  // A directory cannot be listed; a file can be removed nevertheless.
  if ((fd === EMFILE || fd === ENFILE) && options.recursive && (await isDirectoryAt(bare))) {
    throw systemError(fd, 'scandir', { path: bare.toString() });
  }
  // Node reports the error.
  if (fd < 0) return promises.rm(path, { ...options, recursive: false });
  const device = devicesOf(loop).local(fd);
  const isDirectory = (loop.calls.statx[STATX.stx_mode / 4]! & S_IFMT) === S_IFDIR;
  calls.close(fd);
  if (device === null || (isDirectory ? !options.recursive : isSlashed)) {
    return promises.rm(path, options);
  }
  const type = isDirectory ? DT_DIR : DT_UNKNOWN;
  const removal = new Removal(loop, options, device);
  const all = (): Promise<void> => removal.remove(new TreeFolder(AT_FDCWD, ''), name, type);
  return isDirectory ? inTurn(all) : all();
}

async function isDirectoryAt(path: Buffer): Promise<boolean> {
  return promises.lstat(path).then(
    stats => stats.isDirectory(),
    () => false,
  );
}

/** Valid options. */
function plainOptions(options: RmOptions | undefined): typeof DEFAULTS | undefined {
  if (options === undefined) return DEFAULTS;
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return undefined;
  const all = { ...DEFAULTS, ...options } as typeof DEFAULTS;
  const { force, maxRetries, recursive, retryDelay } = all;
  const inOrder = typeof force === 'boolean' && typeof recursive === 'boolean';
  return inOrder && isCount(maxRetries, 2 ** 32 - 1) && isCount(retryDelay, 2 ** 31 - 1) ? all : undefined;
}

function isCount(value: unknown, max: number): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max;
}

function plainTarget(given: PathLike): Target | undefined {
  try {
    const path = toPath(given);
    const bytes = Buffer.from(path as string);
    let { length } = bytes;
    while (bytes[length - 1] === SLASH) length--;
    const bare = bytes.subarray(0, length);
    if (ODD_END.test(bare.toString('latin1'))) return undefined;
    return { path, bare, isSlashed: length < bytes.length };
  } catch {
    return undefined;
  }
}
