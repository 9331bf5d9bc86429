/** Extended attributes, xattr(7): getxattr(2) and setxattr(2) need Linux 5.19. */
import type { PathLike } from 'node:fs';
import type { Block } from '../loop/blocks.js';
import { loop as currentLoop } from '../loop/current.js';
import type { Loop } from '../loop/loop.js';
import * as abi from '../ring/abi.js';
import { checkInt } from '../ring/check.js';
import { argTypeError, argValueError, rangeError, UasyncError } from '../ring/errors.js';
import { toData, toPath } from './arguments.js';
import { onPath } from './operations.js';

/** The longest value that Linux allows. XATTR_SIZE_MAX */
const SIZE_MAX = 65536;

/** When `setxattr` fails. */
export interface SetXattrOptions {
  /** Fail with EEXIST if the attribute is there. */
  create?: boolean;
  /** Fail with ENODATA if it is not. */
  replace?: boolean;
}

/** The value of an extended attribute, for instance 'user.mime_type'. It rejects with ENODATA if there is none. */
export async function getxattr(path: PathLike, name: string): Promise<Buffer> {
  const plain = toPath(path);
  checkName(name);
  const loop = supported();
  return withBlock(loop, async ({ address, bytes }) => {
    const length = await onPath(loop, 'getxattr', plain, null, sqe => {
      const nameAddress = sqe.path('name', name);
      const pathAddress = sqe.path('path', plain);
      sqe.prep(abi.OP_GETXATTR, 0, nameAddress, SIZE_MAX, address).addr3(pathAddress);
    });
    return Buffer.from(bytes.subarray(0, length));
  });
}

/** Sets an extended attribute to a string's or a view's bytes, 64 KiB at most. */
export async function setxattr(
  path: PathLike,
  name: string,
  value: string | ArrayBufferView,
  { create = false, replace = false }: SetXattrOptions = {},
): Promise<void> {
  const plain = toPath(path);
  checkName(name);
  const data = toData(value, 'utf8', 'value');
  if (data.length > SIZE_MAX) throw rangeError('value.length', `<= ${SIZE_MAX}`, data.length);
  const flags = (create ? 1 : 0) | (replace ? 2 : 0);
  const loop = supported();
  await withBlock(loop, ({ address, bytes }) => {
    bytes.set(data);
    return onPath(loop, 'setxattr', plain, null, sqe => {
      const nameAddress = sqe.path('name', name);
      const pathAddress = sqe.path('path', plain);
      sqe.prep(abi.OP_SETXATTR, 0, nameAddress, data.length, address).opFlags(flags).addr3(pathAddress);
    });
  });
}

function checkName(name: string): void {
  if (typeof name !== 'string') throw argTypeError('name', 'of type string', name);
  if (name.includes('\0')) throw argValueError('name', 'must be a string without null bytes', name);
  checkInt('name.length', name.length, 1, 255);
}

function supported(): Loop {
  const loop = currentLoop();
  if (loop.ops.has(abi.OP_GETXATTR)) return loop;
  throw new UasyncError('ERR_UNSUPPORTED', 'Extended attributes came with Linux 5.19');
}

/** Lends a block of SIZE_MAX bytes until `use` has settled. */
async function withBlock<T>(loop: Loop, use: (block: Block) => Promise<T>): Promise<T> {
  for (;;) {
    const block = loop.blocks.acquire(SIZE_MAX);
    try {
      if (block !== null && block.bytes.length >= SIZE_MAX) return await use(block);
    } finally {
      if (block !== null) loop.blocks.release(block);
    }
    await loop.blocks.released();
  }
}
