/** Bytes that a path takes at most, with the NUL at its end. */
export const PATH_MAX = 4096;

/** Writes a path and a NUL at `bytes[at]`, where PATH_MAX bytes have room; false if it may not fit. */
export function putPath(bytes: Buffer, at: number, path: string | Uint8Array): boolean {
  if (typeof path === 'string') {
    // A character of UTF-16 has three bytes at most.
    if (path.length * 3 >= PATH_MAX - 1) return false;
    bytes[at + bytes.write(path, at, 'utf8')] = 0;
    return true;
  }
  if (path.length >= PATH_MAX - 1) return false;
  bytes.set(path, at);
  bytes[at + path.length] = 0;
  return true;
}
