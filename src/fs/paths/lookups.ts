/** Calls that only look a path up: at once if it is cached, else Node's own, on its thread pool. */
import { constants, type ObjectEncodingOptions, type PathLike } from 'node:fs';
import { loop as currentLoop } from '../../loop/current.js';
import { toPath } from '../arguments.js';
import { inlineFiles } from '../inline/inline.js';
import { promises } from '../node-promises.js';
import { mayRead } from '../permission.js';

const { F_OK, R_OK, W_OK, X_OK } = constants;

type BufferEncodingOption = { encoding: 'buffer' };
type Encoding = ObjectEncodingOptions | BufferEncoding | 'buffer' | null;

/** A valid path that may be looked up; Node reports the error for others. */
function plainPath(path: PathLike): string | Uint8Array | undefined {
  try {
    const plain = toPath(path);
    return mayRead(plain) ? plain : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the options ask for text only. */
function isText(options: Encoding | BufferEncodingOption | undefined): boolean {
  if ((options as { signal?: unknown } | null | undefined)?.signal !== undefined) return false;
  const encoding = typeof options === 'object' ? options?.encoding : options;
  return encoding === undefined || encoding === null || encoding === 'utf8' || encoding === 'utf-8';
}

/**
 * Rejects if this process has no access to a path. faccessat2(2)
 * @param mode `R_OK`, `W_OK` and `X_OK` of `constants`, or-ed; default `F_OK`, which checks that it exists.
 */
export async function access(path: PathLike, mode: number = F_OK): Promise<void> {
  const plain = plainPath(path);
  const isMode = Number.isInteger(mode) && mode >= F_OK && mode <= (R_OK | W_OK | X_OK);
  const may = plain !== undefined && isMode && inlineFiles(currentLoop()).access(plain, mode);
  return may ? undefined : promises.access(path, mode);
}

/** A path without symbolic links, `.` and `..`. realpath(3) */
export function realpath(
  path: PathLike,
  options?: ObjectEncodingOptions | BufferEncoding | null,
): Promise<string>;
export function realpath(path: PathLike, options: BufferEncodingOption | 'buffer'): Promise<Buffer>;
export async function realpath(
  path: PathLike,
  options?: Encoding | BufferEncodingOption,
): Promise<string | Buffer> {
  const plain = isText(options) ? plainPath(path) : undefined;
  const found = plain === undefined ? undefined : inlineFiles(currentLoop()).realpath(plain);
  return found ?? promises.realpath(path, options as BufferEncoding);
}

/** The target of a symbolic link. readlink(2) */
export function readlink(
  path: PathLike,
  options?: ObjectEncodingOptions | BufferEncoding | null,
): Promise<string>;
export function readlink(path: PathLike, options: BufferEncodingOption | 'buffer'): Promise<Buffer>;
export async function readlink(
  path: PathLike,
  options?: Encoding | BufferEncodingOption,
): Promise<string | Buffer> {
  const plain = isText(options) ? plainPath(path) : undefined;
  const found = plain === undefined ? undefined : inlineFiles(currentLoop()).readlink(plain);
  return found ?? promises.readlink(path, options as BufferEncoding);
}
