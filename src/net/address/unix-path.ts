/** Paths of Unix sockets that may be longer than a sockaddr_un holds, unix(7). */
import { closeSync, constants, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { O_PATH } from '../../sys/abi/flags.js';
import { argValueError, type UasyncError } from '../../sys/errors/errors.js';
import { sockaddrOf, type UnixAddress } from '../../sys/socket/sockaddr.js';

/** The longest path that a sockaddr_un holds, in bytes. */
const DIRECT_MAX = 107;
/** For a longer path: the longest name after `/proc/self/fd/N/`, for any N. */
const NAME_MAX = 85;

/** Abstract names, and the empty one, are not in a file system. */
export function isFilePath(path: string): boolean {
  return path !== '' && !path.startsWith('\0');
}

/** Refuses an empty path, for which the kernel would choose an abstract name. unix(7), "Autobind" */
export function checkPath(path: string): void {
  if (path === '') throw argValueError('options.path', 'must not be empty', path);
}

/** A path for the kernel. A long one goes through a descriptor of its directory, which is open until `close()`. */
export class UnixName {
  /** As the caller passed it. */
  readonly path: string;
  readonly address: UnixAddress;
  readonly sockaddr: Buffer;
  #directory = -1;

  /**
   * @param syscall the name in errors.
   * @throws TypeError for a path with a NUL in it, or with too long a name; the error of open(2) for the directory.
   */
  constructor(path: string, syscall: string) {
    this.path = path;
    this.address = { path: this.#short(syscall) };
    this.sockaddr = sockaddrOf(this.address);
  }

  #short(syscall: string): string {
    const { path } = this;
    if (typeof path !== 'string' || !isFilePath(path) || path.includes('\0')) return path;
    if (Buffer.byteLength(path) <= DIRECT_MAX) return path;
    const name = basename(path);
    if (Buffer.byteLength(name) > NAME_MAX) {
      const reason = `must be at most ${DIRECT_MAX} bytes long, or its last part at most ${NAME_MAX}`;
      throw argValueError('path', reason, path);
    }
    try {
      this.#directory = openSync(dirname(path), O_PATH | constants.O_DIRECTORY);
    } catch (error) {
      throw Object.assign(error as UasyncError, { syscall, path });
    }
    return `/proc/self/fd/${this.#directory}/${name}`;
  }

  close(): void {
    if (this.#directory >= 0) closeSync(this.#directory);
    this.#directory = -1;
  }
}
