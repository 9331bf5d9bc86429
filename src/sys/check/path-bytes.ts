/** The maximum size of a path in bytes, including its NUL. */
export const PATH_MAX = 4096;

/** Writes a path and a NUL at `bytes[at]`, which must have space for PATH_MAX bytes; false if it may not fit. */
export function putPath(bytes: Buffer, at: number, path: string | Uint8Array): boolean {
  if (typeof path === 'string') {
    // A UTF-16 unit takes at most three bytes.
    if (path.length * 3 >= PATH_MAX - 1) return false;
    bytes[at + bytes.write(path, at, 'utf8')] = 0;
    return true;
  }
  if (path.length >= PATH_MAX - 1) return false;
  bytes.set(path, at);
  bytes[at + path.length] = 0;
  return true;
}
