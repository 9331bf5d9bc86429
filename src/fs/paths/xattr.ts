/** Extended attributes, xattr(7): getxattr(2) and setxattr(2) need Linux 5.19. */
import type { PathLike } from 'node:fs';
import { loop as currentLoop } from '../../loop/current.js';
import type { Loop } from '../../loop/loop.js';
import { withBlock } from '../../loop/waiting/with-block.js';
import type { Sqe } from '../../ring/sqe/index.js';
import { XATTR_CREATE, XATTR_REPLACE } from '../../sys/abi/flags.js';
import { checkBoolean, checkInt } from '../../sys/check/check.js';
import { checkOptions, optionNames } from '../../sys/check/options.js';
import { checkAllowed } from '../../sys/check/permission.js';
import {
  argTypeError,
  argValueError,
  closedError,
  rangeError,
  UasyncError,
} from '../../sys/errors/errors.js';
import { toData, toPath } from '../arguments.js';
import { checkThere } from '../content.js';
import { onFd, onPath } from '../operations.js';

/** The longest value that Linux allows. XATTR_SIZE_MAX */
const SIZE_MAX = 65536;

/** A path or a descriptor. */
type Target = string | Uint8Array | number;

/** The conditions under which `setxattr` fails. */
export interface SetXattrOptions {
  /** Fail with EEXIST if the attribute exists. */
  create?: boolean | undefined;
  /** Fail with ENODATA if it does not exist. */
  replace?: boolean | undefined;
}

const SET_OPTIONS = optionNames<SetXattrOptions>({ create: true, replace: true });

/** Reads an extended attribute, for instance 'user.mime_type'. It rejects with ENODATA if there is none. */
export async function getxattr(path: PathLike, name: string): Promise<Buffer> {
  const plain = toPath(path);
  checkAllowed('fs.read', plain);
  return getFrom(currentLoop(), plain, name);
}

/** Sets an extended attribute to the bytes of a string or a view, at most 64 KiB. */
export async function setxattr(
  path: PathLike,
  name: string,
  value: string | ArrayBufferView,
  options?: SetXattrOptions,
): Promise<void> {
  const plain = toPath(path);
  checkAllowed('fs.write', plain);
  await setOn(currentLoop(), plain, name, value, options);
}

/** See `getxattr`. */
export async function getFrom(loop: Loop, target: Target, name: string): Promise<Buffer> {
  checkName(name);
  checkSupported(loop);
  return withBlock(loop, SIZE_MAX, SIZE_MAX, async ({ address, bytes }) => {
    const length = await run(loop, 'getxattr', target, sqe =>
      sqe.getxattrAt(target, name, address, SIZE_MAX),
    );
    // The completion may be due to the close of the loop: then the block is gone.
    if (loop.closing) throw closedError('The loop');
    return Buffer.from(bytes.subarray(0, length));
  });
}

/** See `setxattr`. */
export async function setOn(
  loop: Loop,
  target: Target,
  name: string,
  value: string | ArrayBufferView,
  options: SetXattrOptions = {},
): Promise<void> {
  checkName(name);
  checkOptions(options, SET_OPTIONS);
  const { create = false, replace = false } = options;
  checkBoolean('options.create', create);
  checkBoolean('options.replace', replace);
  const data = toData(value, 'utf8', 'value');
  const size = data.length;
  if (size > SIZE_MAX) throw rangeError('value.length', `<= ${SIZE_MAX}`, size);
  const flags = (create ? XATTR_CREATE : 0) | (replace ? XATTR_REPLACE : 0);
  checkSupported(loop);
  await withBlock(loop, SIZE_MAX, SIZE_MAX, ({ address, bytes }) => {
    checkThere(data, size);
    // A view that was detached before the call has no bytes, but cannot be copied from.
    if (size !== 0) bytes.set(data);
    return run(loop, 'setxattr', target, sqe => sqe.setxattrAt(target, name, address, size, flags));
  });
}

/** Calls one of the two on a path, or with an f before its name on a descriptor. */
function run(loop: Loop, syscall: string, target: Target, prepare: (sqe: Sqe) => void): Promise<number> {
  if (typeof target === 'number') return onFd(loop, `f${syscall}`, prepare);
  return onPath(loop, syscall, target, null, prepare);
}

function checkName(name: string): void {
  if (typeof name !== 'string') throw argTypeError('name', 'of type string', name);
  if (name.includes('\0')) throw argValueError('name', 'must be a string without null bytes', name);
  checkInt('name.length', name.length, 1, 255);
}

function checkSupported(loop: Loop): void {
  if (loop.supports('getxattr')) return;
  throw new UasyncError('ERR_UNSUPPORTED', 'Extended attributes need Linux 5.19');
}
