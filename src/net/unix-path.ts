/** The files that Unix datagram sockets are bound to. */
import { lstatSync, unlinkSync } from 'node:fs';
import type { Loop } from '../loop/loop.js';
import { ECONNREFUSED } from '../ring/errno.js';
import { systemError, type UasyncError } from '../ring/errors.js';
import { libc } from '../ring/libc.js';
import { AF_UNIX } from '../ring/sockaddr.js';
import { SOCK_CLOEXEC, SOCK_DGRAM } from '../ring/sqe/sockets.js';

/**
 * Binds a Unix datagram socket. A socket file whose owner has gone is replaced. Returns what takes the
 * file away again, null if there is none.
 */
export async function bindPath(
  loop: Loop,
  fd: number,
  path: string,
  name: Uint8Array,
): Promise<(() => void) | null> {
  const abstract = path === '' || path.startsWith('\0');
  let failed = libc().bind(fd, name);
  if (failed < 0 && !abstract && (await isStale(loop, path))) {
    unlinkSync(path);
    failed = libc().bind(fd, name);
  }
  if (failed < 0) throw systemError(failed, 'bind', { path });
  return abstract ? null : remover(path);
}

/** Whether a socket file is there that nobody is bound to. */
async function isStale(loop: Loop, path: string): Promise<boolean> {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return false;
  const fd = libc().socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  try {
    await loop.submit(sqe => sqe.connect(fd, { path }));
    return false;
  } catch (error) {
    return (error as UasyncError).errno === ECONNREFUSED;
  } finally {
    libc().close(fd);
  }
}

/** Unlinks the file, unless another has taken its place. */
function remover(path: string): () => void {
  const { dev, ino } = lstatSync(path);
  return () => {
    const now = lstatSync(path, { throwIfNoEntry: false });
    if (now?.dev === dev && now.ino === ino) unlinkSync(path);
  };
}
