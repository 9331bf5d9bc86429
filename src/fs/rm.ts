/** Removes files, and trees of them. */
import { constants, type PathLike, type RmOptions } from 'node:fs';
import { DT_DIR, DT_UNKNOWN, directoryCalls, Names } from '../ring/directory-calls.js';
import { ENOENT } from '../ring/errno.js';
import { AT_FDCWD } from '../ring/sqe/paths.js';
import { STATX } from '../ring/structs.js';
import { toPath } from './arguments.js';
import { briefCalls } from './brief-calls.js';
import { devicesOf } from './devices.js';
import { promises } from './node-promises.js';
import { Removal } from './remove-tree.js';
import { changingLoop } from './walk.js';

const DEFAULTS = { force: false, maxRetries: 0, recursive: false, retryDelay: 100 };

const { S_IFDIR, S_IFMT } = constants;

/** Paths that end in a slash or in dots, which need special treatment. */
const ODD_END = /(^|\/)\.{0,2}$/;

/**
 * Removes a path, and with `recursive` also a directory and everything in it. Plain calls remove cached paths; Node
 * does the rest, and reports wrong arguments.
 */
export async function rm(path: PathLike, options?: RmOptions): Promise<void> {
  const removing = removal(path, options);
  return removing === undefined ? promises.rm(path, options) : removing;
}

/** The removal by plain calls, if that is possible. */
function removal(path: PathLike, given: RmOptions | undefined): Promise<void> | undefined {
  const options = plainOptions(given);
  const plain = options === undefined ? undefined : plainPath(path);
  const loop = plain === undefined ? undefined : changingLoop();
  if (options === undefined || plain === undefined || loop === undefined) return undefined;
  // The backend removes files that may wait.
  if (!loop.supports('unlinkat') || !loop.inline.take()) return undefined;
  const calls = directoryCalls();
  const name = Names.of(plain);
  const fd = calls.locate(AT_FDCWD, name.name);
  if (fd === ENOENT && options.force) return Promise.resolve();
  if (fd < 0) return undefined;
  const device = devicesOf(loop).local(fd);
  const isDirectory = (loop.calls.statx[STATX.stx_mode / 4]! & S_IFMT) === S_IFDIR;
  calls.close(fd);
  if (device === null || (isDirectory && !options.recursive)) return undefined;
  // Node removes many at a time.
  if (isDirectory && briefCalls(loop).isSlow(device)) return undefined;
  const type = isDirectory ? DT_DIR : DT_UNKNOWN;
  return new Removal(loop, options, device).remove({ fd: AT_FDCWD, path: '' }, name, type);
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

function plainPath(path: PathLike): string | Uint8Array | undefined {
  try {
    const plain = toPath(path);
    const text = typeof plain === 'string' ? plain : Buffer.from(plain).toString('latin1');
    return ODD_END.test(text) ? undefined : plain;
  } catch {
    return undefined;
  }
}
