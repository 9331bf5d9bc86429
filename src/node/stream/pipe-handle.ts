import { chmodSync, statSync, unlinkSync } from 'node:fs';
import type { Loop } from '../../loop/loop.js';
import { isFilePath } from '../../net/address/unix-path.js';
import { EACCES, EBADF, EINVAL, ENAMETOOLONG, ENOENT } from '../../sys/abi/errno.js';
import { libc } from '../../sys/libc/libc.js';
import { AF_UNIX, SOCKADDR_MAX, writeSockaddr } from '../../sys/socket/sockaddr.js';
import { bindings, type NativeClass, type Request } from '../natives.js';
import { SocketHandle } from './socket-handle.js';
import type { StreamHandle } from './stream-handle.js';

/** libuv's flags of `fchmod`, and the permissions that they give to all. */
const READABLE = 1;
const WRITABLE = 2;
const READ_BY_ALL = 0o444;
const WRITE_BY_ALL = 0o222;
/** The first libuv 1.x that gives just these permissions; earlier ones add them. */
const EXACT_SINCE = 51;

/** Replaces Node's native `Pipe`, for Unix sockets. */
export class PipeHandle extends SocketHandle {
  /** The file to remove when it closes. */
  #path: string | null = null;

  constructor(loop: Loop, listens = false, trigger?: number) {
    super(loop, listens ? 'PIPESERVERWRAP' : 'PIPEWRAP', listens, trigger);
  }

  protected override get native(): { Native: NativeClass; kinds: Record<string, number> } {
    const { Pipe, pipeConstants } = bindings();
    return { Native: Pipe, kinds: pipeConstants };
  }

  protected override accepted(loop: Loop): StreamHandle {
    return new PipeHandle(loop, false, this.getAsyncId());
  }

  bind(path: string): number {
    const name = sockaddrOf(path);
    if (typeof name === 'number') return name;
    let failed = this.openSocket(AF_UNIX);
    if (failed >= 0) failed = libc().bind(this.fd, name);
    // As in libuv.
    if (failed === ENOENT) return EACCES;
    if (failed >= 0 && isFilePath(path)) this.#path = path;
    return Math.min(failed, 0);
  }

  connect(request: Request, path: string): number {
    const name = sockaddrOf(path);
    if (typeof name === 'number') return name;
    const failed = this.openSocket(AF_UNIX);
    return failed < 0 ? failed : this.connectTo(request, 'PIPECONNECTWRAP', name);
  }

  fchmod(mode: number): number {
    if (this.fd < 0 || this.#path === null) return EBADF;
    const wanted = (mode & READABLE ? READ_BY_ALL : 0) | (mode & WRITABLE ? WRITE_BY_ALL : 0);
    const exact = Number(process.versions.uv.split('.')[1]) >= EXACT_SINCE;
    try {
      chmodSync(this.#path, exact ? wanted : statSync(this.#path).mode | wanted);
      return 0;
    } catch (error) {
      return (error as NodeJS.ErrnoException).errno ?? EINVAL;
    }
  }

  /** The path is free at once, as in libuv. */
  override close(callback?: () => void): void {
    this.#unlink();
    super.close(callback);
  }

  #unlink(): void {
    if (this.#path === null) return;
    try {
      unlinkSync(this.#path);
    } catch {
      // It does not exist any more.
    }
    this.#path = null;
  }
}

function sockaddrOf(path: string): Buffer | number {
  const bytes = Buffer.alloc(SOCKADDR_MAX);
  try {
    return bytes.subarray(0, writeSockaddr(bytes, 0, { path }));
  } catch {
    return path.includes('\0') && isFilePath(path) ? EINVAL : ENAMETOOLONG;
  }
}
