/** The contents of a directory, and of all directories below it. */
import { constants, Dirent, type PathLike } from 'node:fs';
import { join } from 'node:path';
import type { Loop } from '../../loop/loop.js';
import { EAGAIN, ELOOP, ENOENT, ENOTDIR } from '../../sys/abi/errno.js';
import {
  DT_BLK,
  DT_CHR,
  DT_DIR,
  DT_FIFO,
  DT_LNK,
  DT_REG,
  DT_SOCK,
  DT_UNKNOWN,
  directoryCalls,
  releaseNames,
  takeNames,
} from '../../sys/calls/directory-calls.js';
import { LOOKUP_ERRORS } from '../../sys/calls/file-calls.js';
import { systemError } from '../../sys/errors/errors.js';
import { textPath } from '../arguments.js';
import { briefCalls } from '../inline/brief-calls.js';
import { type Device, devicesOf } from '../inline/devices.js';
import { Share, walkingLoop } from '../inline/walk.js';
import { promises } from '../node-promises.js';
import { READS_TREES_AT_ONCE } from '../running-node.js';

interface Entry {
  readonly name: string;
  /** UV_DIRENT_ */
  readonly type: number;
}

interface Directory {
  readonly path: string;
  /** The prefix of its names in the result. */
  readonly prefix: string;
  readonly entries: Entry[];
}

interface Options {
  readonly recursive: boolean;
  readonly withFileTypes: boolean;
}

type NodeReaddir = (path: PathLike, options?: unknown) => Promise<unknown>;

/** Node lists and sorts larger directories, on its threads. */
const ENTRIES_MAX = 2048;
/** The number of entries that are listed and sorted in the time of a call. */
const ENTRIES_A_CALL = 6;
/** The cost of a directory, in calls. */
const CALLS = 4;

type UvType = 'FILE' | 'DIR' | 'LINK' | 'FIFO' | 'SOCKET' | 'CHAR' | 'BLOCK';
const uv = constants as unknown as Readonly<Record<`UV_DIRENT_${UvType}`, number>>;
const { UV_DIRENT_FILE, UV_DIRENT_DIR, UV_DIRENT_LINK, UV_DIRENT_FIFO } = uv;
const { UV_DIRENT_SOCKET, UV_DIRENT_CHAR, UV_DIRENT_BLOCK } = uv;

const TYPES: number[] = [];
TYPES[DT_REG] = UV_DIRENT_FILE;
TYPES[DT_DIR] = UV_DIRENT_DIR;
TYPES[DT_LNK] = UV_DIRENT_LINK;
TYPES[DT_FIFO] = UV_DIRENT_FIFO;
TYPES[DT_SOCK] = UV_DIRENT_SOCKET;
TYPES[DT_CHR] = UV_DIRENT_CHAR;
TYPES[DT_BLK] = UV_DIRENT_BLOCK;

const makeDirent = Dirent as unknown as new (name: string, type: number, path: string) => Dirent;

/**
 * The names in a directory, in byte order. With `recursive` also those below. Plain calls list cached directories with
 * few names, for text results; Node does the rest, and reports wrong arguments.
 */
export async function readdir(path: PathLike, options?: unknown): Promise<unknown> {
  const found = await listed(path, options);
  return found ?? (promises.readdir as NodeReaddir)(path, options);
}

/** The result of `readdir`, if plain calls can produce it. */
function listed(
  path: PathLike,
  given: unknown,
): (string | Dirent)[] | Promise<(string | Dirent)[] | undefined> | undefined {
  const options = plainOptions(given);
  const plain = options === undefined ? undefined : textPath(path);
  const loop = plain === undefined ? undefined : walkingLoop();
  if (options === undefined || plain === undefined || loop === undefined) return undefined;
  if (options.recursive && READS_TREES_AT_ONCE) return undefined;
  const entries = list(loop, plain);
  if (typeof entries === 'number') {
    if (LOOKUP_ERRORS.has(entries)) throw systemError(entries, 'scandir', { path: plain });
    return undefined;
  }
  if (options.recursive) return listTree(loop, { path: plain, prefix: '', entries }, options.withFileTypes);
  return entries.map(({ name, type }) => (options.withFileTypes ? new makeDirent(name, type, plain) : name));
}

/** Valid options that ask for text. */
function plainOptions(options: unknown): Options | undefined {
  if (options === undefined || options === null) return { recursive: false, withFileTypes: false };
  if (typeof options !== 'object') {
    return isText(options) ? { recursive: false, withFileTypes: false } : undefined;
  }
  const { encoding, recursive, signal, withFileTypes } = options as Record<string, unknown>;
  if (!isText(encoding) || signal !== undefined) return undefined;
  return { recursive: Boolean(recursive), withFileTypes: Boolean(withFileTypes) };
}

function isText(encoding: unknown): boolean {
  return encoding === undefined || encoding === null || encoding === 'utf8' || encoding === 'utf-8';
}

/** The entries of a directory, sorted; a negative errno, EAGAIN if Node has to list it. */
function list(loop: Loop, path: string): Entry[] | number {
  if (!loop.inline.enabled) return EAGAIN;
  const calls = directoryCalls();
  const fd = calls.openPath(path, true);
  if (fd < 0) return fd;
  const device = devicesOf(loop).local(fd);
  const entries = device === null ? EAGAIN : readBriefly(loop, fd, device);
  calls.close(fd);
  if (typeof entries !== 'number') loop.inline.take(0, entries.length / ENTRIES_A_CALL);
  return entries;
}

/** While the device is slow, Node lists. */
function readBriefly(loop: Loop, fd: number, device: Device): Entry[] | number {
  const brief = briefCalls(loop);
  if (!brief.beginReading(device, CALLS)) return EAGAIN;
  const entries = read(fd);
  brief.end(device);
  return entries;
}

function read(fd: number): Entry[] | number {
  const calls = directoryCalls();
  const names = takeNames();
  const entries: Entry[] = [];
  let beyond = false;
  let length: number;
  // biome-ignore lint/suspicious/noAssignInExpressions: until there is no more.
  while ((length = calls.list(fd, names)) > 0 && entries.length <= ENTRIES_MAX) {
    while (names.next()) {
      const name = names.text();
      if (names.type === DT_UNKNOWN) length = EAGAIN;
      // U+FFFD means invalid UTF-8; from U+D800 on the order of UTF-16 differs from that of bytes.
      else if (/[\ud800-\uffff]/.test(name)) beyond = true;
      entries.push({ name, type: TYPES[names.type]! });
    }
    if (length < 0) break;
  }
  releaseNames(names);
  if (length !== 0 || beyond) return EAGAIN;
  return entries.sort(byName);
}

function byName(a: Entry, b: Entry): number {
  return a.name < b.name ? -1 : 1;
}

/** The same by Node, which waits for names that are not cached. */
async function listLater(path: string): Promise<Entry[] | number> {
  try {
    const dirents = await promises.readdir(path, { withFileTypes: true });
    return dirents.map(dirent => ({ name: dirent.name, type: typeOf(dirent) }));
  } catch (error) {
    return (error as NodeJS.ErrnoException).errno ?? EAGAIN;
  }
}

function typeOf(dirent: Dirent): number {
  if (dirent.isDirectory()) return UV_DIRENT_DIR;
  if (dirent.isFile()) return UV_DIRENT_FILE;
  if (dirent.isSymbolicLink()) return UV_DIRENT_LINK;
  if (dirent.isFIFO()) return UV_DIRENT_FIFO;
  if (dirent.isSocket()) return UV_DIRENT_SOCKET;
  return dirent.isCharacterDevice() ? UV_DIRENT_CHAR : UV_DIRENT_BLOCK;
}

/**
 * All entries below a directory, in the order of Node 20 to 24: the directory found last is listed first. If there are
 * no file types, symbolic links are followed. Undefined on failure: Node reports the error.
 */
async function listTree(
  loop: Loop,
  root: Directory,
  withFileTypes: boolean,
): Promise<(string | Dirent)[] | undefined> {
  const found: (string | Dirent)[] = [];
  const stack = [root];
  const share = new Share(loop);
  for (let directory = stack.pop(); directory !== undefined; directory = stack.pop()) {
    const { path, prefix, entries } = directory;
    for (const { name, type } of entries) {
      // Node looks the directory up by its decoded name.
      if (name.includes('\ufffd')) return undefined;
      found.push(withFileTypes ? new makeDirent(name, type, path) : prefix + name);
      if (type !== UV_DIRENT_DIR && (withFileTypes || type !== UV_DIRENT_LINK)) continue;
      const below = prefix === '' ? join(path, name) : `${path}/${name}`;
      if (share.spent) await share.next();
      let inside = list(loop, below);
      if (inside === EAGAIN) inside = await listLater(below);
      if (typeof inside !== 'number')
        stack.push({ path: below, prefix: `${prefix}${name}/`, entries: inside });
      else if (withFileTypes || !isNone(inside)) return undefined;
    }
  }
  return found;
}

/** Something that is not, or no longer, a directory is not listed. */
function isNone(errno: number): boolean {
  return errno === ENOENT || errno === ENOTDIR || errno === ELOOP;
}
