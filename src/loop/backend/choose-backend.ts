/** Which backend a loop gets. */
import { release } from 'node:os';
import { opcodeOf } from '../../ring/abi/op-names.js';
import { SoftBackend } from '../../soft/soft-backend.js';
import { UasyncError } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';
import type { BackendChoice } from '../loop-options.js';
import type { Backend } from './backend.js';
import { RingBackend } from './ring-backend.js';

/** What executes a loop's operations. */
export type BackendKind = 'io_uring' | 'epoll';

/** How a backend is chosen and made. */
interface BackendOptions {
  backend: BackendChoice;
  entries: number;
  cqEntries: number;
  warn: boolean;
}

/**
 * The requested backend; for 'auto' that is io_uring unless the kernel refuses it, or its io_uring is too old for
 * sockets.
 * @throws UasyncError ERR_IO_URING_UNAVAILABLE if io_uring was requested and is refused.
 */
export function makeBackend({ backend, entries, cqEntries, warn }: BackendOptions): Backend {
  if (backend !== 'epoll') {
    try {
      const ring = new RingBackend(entries, cqEntries);
      if (backend === 'io_uring' || servesSockets(ring.ops)) return ring;
      ring.close();
      if (warn) warnOnce(tooOld());
    } catch (error) {
      if (backend === 'io_uring' || !isRefusal(error as UasyncError)) throw error;
      if (warn) warnOnce(error as UasyncError);
    }
  }
  return new SoftBackend(entries, cqEntries);
}

/** Whether sockets can run on a ring with these operations: multishot receives (6.0) have no opcode of their own. */
export function servesSockets(ops: ReadonlySet<number>): boolean {
  return ops.has(opcodeOf('send_zc'));
}

function tooOld(): UasyncError {
  const message = `io_uring cannot be used for sockets: Linux ${release()} is too old: run 6.0 or later`;
  return new UasyncError('ERR_IO_URING_UNAVAILABLE', message);
}

/** Whether the kernel has refused io_uring. Without koffi nothing else would work either. */
function isRefusal({ code, errno }: UasyncError): boolean {
  return code === 'ERR_IO_URING_UNAVAILABLE' && errno !== undefined;
}

let warned = false;

/** Once per process, in the first thread. */
function warnOnce(reason: UasyncError): void {
  if (warned) return;
  warned = true;
  if (!libc().isFirst()) return;
  process.emitWarning(`${reason.message}. Operations run on epoll instead`, {
    type: 'UasyncWarning',
    code: 'UASYNC_FALLBACK',
    detail: "loop({ backend: 'epoll' }) or UASYNC_BACKEND=epoll chooses that without a warning.",
  });
}
