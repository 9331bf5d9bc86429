/**
 * Memory that the kernel counts against RLIMIT_MEMLOCK: registered buffers always, and before 5.12 and from 6.14 on
 * also rings and rings of provided buffers. Each process has its own limit, but the kernel compares it with the total
 * of all processes of the user.
 */
import { ENOMEM } from '../../sys/abi/errno.js';
import { kernelIsAtLeast, limitOf, procField, readProc } from '../../sys/proc.js';

/** The limit does not apply to processes with this capability. capabilities(7) */
const CAP_IPC_LOCK = 14;
/** uid_map of the first user namespace: only capabilities of that one count. user_namespaces(7) */
const ALL_UIDS = /^\s*0\s+0\s+4294967295$/;

/**
 * The share of the limit that one process may use for registered buffers: 256 KiB of the usual 8 MiB. Buffers make
 * transfers cheaper, but nothing works without a ring, and other processes need theirs.
 */
const BUFFERS_SHARE = 1 / 32;

/** How much memory this process may lock, and has locked. */
interface LockedMemory {
  /** The limit in bytes; null if there is none, or none that applies to this process. */
  limit: number | null;
  /** Bytes that this process has locked, as far as the kernel reports them: rings are not included. */
  used: number;
}

const UNKNOWN: LockedMemory = { limit: null, used: 0 };

/** Reads it from /proc; null where /proc cannot be read. */
export function lockedMemory(): LockedMemory | null {
  const status = readProc('/proc/self/status');
  if (status === '') return null;
  const limit = isPrivileged(status) ? null : (limitOf('Max locked memory')?.soft ?? null);
  return { limit, used: bytesIn(status, 'VmLck') + bytesIn(status, 'VmPin') };
}

function bytesIn(status: string, name: string): number {
  return (Number.parseInt(procField(status, name), 10) || 0) * 1024;
}

function isPrivileged(status: string): boolean {
  const effective = BigInt(`0x${procField(status, 'CapEff') || '0'}`);
  return ((effective >> BigInt(CAP_IPC_LOCK)) & 1n) === 1n && ALL_UIDS.test(readProc('/proc/self/uid_map'));
}

/** Whether this kernel counts rings as locked memory. */
export function ringsAreCounted(): boolean {
  return !kernelIsAtLeast(5, 12) || kernelIsAtLeast(6, 14);
}

/** Whether this process may register buffers of `bytes` bytes and leave enough to the user's other processes. */
export function mayRegister(bytes: number): boolean {
  const { limit, used } = lockedMemory() ?? UNKNOWN;
  return limit === null || used + bytes <= limit * BUFFERS_SHARE;
}

/**
 * The memory of a closed ring stays counted for a moment, about 30 ms, because the kernel frees it asynchronously.
 * These pauses, in milliseconds, are long enough.
 */
const PAUSES = 25;
const PAUSE_MS = 10;
const never = new Int32Array(new SharedArrayBuffer(4));

/** Stops this thread for `ms` milliseconds. */
export function pause(ms: number): void {
  Atomics.wait(never, 0, 0, ms);
}

/** Retries `make` for a quarter of a second while it fails for lack of memory. */
export function patiently<T>(make: () => T): T {
  for (let pauses = 0; ; pauses++) {
    try {
      return make();
    } catch (error) {
      if ((error as { errno?: number }).errno !== ENOMEM || pauses === PAUSES) throw error;
      pause(PAUSE_MS);
    }
  }
}
