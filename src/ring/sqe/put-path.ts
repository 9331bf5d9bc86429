import { isUint8Array } from 'node:util/types';
import { PATH_MAX } from '../../sys/check/path-bytes.js';
import { argTypeError, argValueError } from '../../sys/errors/errors.js';
import type { Scratch } from '../../sys/memory/scratch.js';
import { bytesIn } from '../../sys/memory/views.js';

/** Copies a path to scratch memory, NUL-terminated; returns its address. `name` is the name of the argument. */
export function putPath(scratch: Scratch, name: string, path: string | Uint8Array): number {
  let length: number;
  let address: number;
  if (typeof path === 'string') {
    if (path.includes('\0')) throw argValueError(name, 'must be a string without null bytes', path);
    length = Buffer.byteLength(path);
    if (length >= PATH_MAX) return putLongPath(scratch);
    address = scratch.alloc(length + 1);
    scratch.bytes.write(path, scratch.start, length);
  } else if (isUint8Array(path)) {
    // Throws for a detached array, which would otherwise count as ''.
    bytesIn(path);
    if (path.includes(0)) throw argValueError(name, 'must be a Uint8Array without null bytes', path);
    length = path.length;
    if (length >= PATH_MAX) return putLongPath(scratch);
    address = scratch.alloc(length + 1);
    scratch.bytes.set(path, scratch.start);
  } else {
    throw argTypeError(name, 'of type string or an instance of Uint8Array', path);
  }
  scratch.bytes[scratch.start + length] = 0;
  return address;
}

/**
 * Stands for any path that is too long: the kernel rejects it with ENAMETOOLONG. A truncated one could name another
 * file.
 */
function putLongPath(scratch: Scratch): number {
  const address = scratch.alloc(PATH_MAX + 1);
  const { bytes, start } = scratch;
  bytes.fill('x', start, start + PATH_MAX);
  bytes[start + PATH_MAX] = 0;
  return address;
}
