/** Calls on paths that io_uring has an operation for. If the kernel is too old, Node's. */
import type { BigIntStats, MakeDirectoryOptions, PathLike, RmDirOptions, Stats } from 'node:fs';
import { loop as currentLoop } from '../../loop/current.js';
import { AT_FDCWD, AT_REMOVEDIR } from '../../sys/abi/flags.js';
import { checkBoolean } from '../../sys/check/check.js';
import { MODE_BITS, toMode, toNodeMode, toPath } from '../arguments.js';
import { inlineChanges } from '../inline/inline-changes.js';
import { changingLoop } from '../inline/walk.js';
import { promises } from '../node-promises.js';
import { onPath } from '../operations.js';
import { mayMove, mayRead, maySymlink, mayWrite } from '../permission.js';
import { makeDirectories } from './make-directories.js';
import { checkStat, DEFAULTS, type StatOptions } from './stat-options.js';
import { statPath } from './statx.js';

const TYPES = new Set(['dir', 'file', 'junction']);

/** Renames a path, and replaces an existing new one. rename(2) */
export async function rename(oldPath: PathLike, newPath: PathLike): Promise<void> {
  const from = toPath(oldPath, 'oldPath');
  const to = toPath(newPath, 'newPath');
  const loop = currentLoop();
  const may = mayMove(from, to);
  if (may && inlineChanges(loop).rename(from, to)) return;
  if (!may || !loop.supports('renameat')) return promises.rename(oldPath, newPath);
  await onPath(loop, 'rename', from, to, sqe => sqe.rename(from, to));
}

/** Creates a hard link. link(2) */
export async function link(existingPath: PathLike, newPath: PathLike): Promise<void> {
  const from = toPath(existingPath, 'existingPath');
  const to = toPath(newPath, 'newPath');
  const loop = currentLoop();
  const may = mayMove(from, to);
  if (may && inlineChanges(loop).link(from, to)) return;
  if (!may || !loop.supports('linkat')) return promises.link(existingPath, newPath);
  await onPath(loop, 'link', from, to, sqe => sqe.linkPath(from, to));
}

/**
 * Creates a symbolic link at `path` with the target `target`. symlink(2)
 * @param type for Windows only.
 */
export async function symlink(
  target: PathLike,
  path: PathLike,
  type?: 'dir' | 'file' | 'junction' | null,
): Promise<void> {
  const from = toPath(target, 'target');
  const to = toPath(path);
  const loop = currentLoop();
  // Node reports other invalid types, whose treatment has changed between versions.
  const known = type === undefined || type === null || TYPES.has(type);
  const may = known && maySymlink();
  if (may && inlineChanges(loop).symlink(from, to)) return;
  if (!may || !loop.supports('symlinkat')) {
    return promises.symlink(target, path, type);
  }
  await onPath(loop, 'symlink', from, to, sqe => sqe.symlink(from, to));
}

/** Removes a file's name. unlink(2) */
export async function unlink(path: PathLike): Promise<void> {
  const plain = toPath(path);
  const loop = currentLoop();
  const may = mayWrite(plain);
  if (may && inlineChanges(loop).unlink(plain)) return;
  if (!may || !loop.supports('unlinkat')) return promises.unlink(path);
  await onPath(loop, 'unlink', plain, null, sqe => sqe.unlink(plain));
}

/** Removes an empty directory. Calls with options go to Node, which checks them. rmdir(2) */
export async function rmdir(path: PathLike, options?: RmDirOptions): Promise<void> {
  const plain = toPath(path);
  const loop = currentLoop();
  const may = options === undefined && mayWrite(plain);
  if (may && inlineChanges(loop).rmdir(plain)) return;
  if (!may || !loop.supports('unlinkat')) {
    return promises.rmdir(path, options);
  }
  await onPath(loop, 'rmdir', plain, null, sqe => sqe.unlinkat(AT_FDCWD, plain, AT_REMOVEDIR));
}

/**
 * Creates a directory. With `recursive` it creates those above it too, and resolves to the first one created.
 * mkdir(2)
 */
export async function mkdir(
  path: PathLike,
  options?: MakeDirectoryOptions | string | number | null,
): Promise<string | undefined> {
  const given = typeof options === 'number' || typeof options === 'string' ? { mode: options } : options;
  const { recursive = false, mode = 0o777 } = given || {};
  const plain = toPath(path);
  checkBoolean('options.recursive', recursive);
  const bits = toMode(mode, 0o777);
  if (recursive) {
    const walking = typeof plain === 'string' ? changingLoop() : undefined;
    const made = walking && makeDirectories(walking, plain as string, bits & MODE_BITS);
    if (made?.done) return made.first;
    const first = await promises.mkdir(path, { recursive, mode: bits & MODE_BITS });
    return made?.first ?? first;
  }
  const loop = currentLoop();
  const may = mayWrite(plain);
  if (may && inlineChanges(loop).mkdir(plain, bits & MODE_BITS)) return undefined;
  if (!may || !loop.supports('mkdirat')) {
    await promises.mkdir(path, { mode: bits & MODE_BITS });
    return undefined;
  }
  await onPath(loop, 'mkdir', plain, null, sqe => sqe.mkdir(plain, bits & MODE_BITS));
  return undefined;
}

/** Changes permissions; io_uring has no operation for it. chmod(2) */
export async function chmod(path: PathLike, mode: string | number): Promise<void> {
  const plain = toPath(path);
  const isPlain = Number.isInteger(mode) && (mode as number) >= 0 && (mode as number) <= MODE_BITS;
  if (isPlain && mayWrite(plain) && inlineChanges(currentLoop()).chmod(plain, mode as number)) return;
  return promises.chmod(path, toNodeMode(mode));
}

/** The attributes of a path, following symbolic links. stat(2) */
export function stat(path: PathLike, options?: StatOptions & { bigint?: false }): Promise<Stats>;
export function stat(path: PathLike, options: StatOptions & { bigint: true }): Promise<BigIntStats>;
export function stat(path: PathLike, options?: StatOptions): Promise<Stats | BigIntStats>;
export function stat(
  path: PathLike,
  options: StatOptions & { throwIfNoEntry?: boolean } = DEFAULTS,
): Promise<Stats | BigIntStats | undefined> {
  // Not an async function: its second promise costs.
  try {
    const signal = checkStat(options);
    const plain = toPath(path);
    if (!mayRead(plain)) return promises.stat(path, options);
    const found = statPath(currentLoop(), plain, true, options.bigint === true, signal);
    if (options.throwIfNoEntry !== false) return found;
    // Node decides whether that is an error: this came with Node 24.
    return found.catch(() => promises.stat(plain, options));
  } catch (error) {
    return Promise.reject(error);
  }
}

/** The attributes of a path, without following a symbolic link. lstat(2) */
export function lstat(path: PathLike, options?: StatOptions & { bigint?: false }): Promise<Stats>;
export function lstat(path: PathLike, options: StatOptions & { bigint: true }): Promise<BigIntStats>;
export function lstat(path: PathLike, options?: StatOptions): Promise<Stats | BigIntStats>;
export function lstat(path: PathLike, options: StatOptions = DEFAULTS): Promise<Stats | BigIntStats> {
  try {
    const signal = checkStat(options);
    const plain = toPath(path);
    if (!mayRead(plain)) return promises.lstat(path, options);
    return statPath(currentLoop(), plain, false, options.bigint === true, signal);
  } catch (error) {
    return Promise.reject(error);
  }
}
