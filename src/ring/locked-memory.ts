/**
 * Memory that the kernel counts against RLIMIT_MEMLOCK: registered buffers always, and before 5.12 and
 * from 6.14 on also rings and rings of provided buffers. The limit is each process's own, but what it is
 * compared with is what all processes of the user have together.
 */
import { ENOMEM } from './errno.js';
import { kernelIsAtLeast, limitOf, procField, readProc } from './proc.js';

/** The limit does not apply to processes with this capability. capabilities(7) */
const CAP_IPC_LOCK = 14;
/** uid_map of the first user namespace: only capabilities of that one count. user_namespaces(7) */
const ALL_UIDS = /^\s*0\s+0\s+4294967295$/;

/**
 * The part of the limit that the buffers one process registers may take: 256 KiB of the usual 8 MiB. Buffers
 * make transfers cheaper, but without a ring nothing works, and other processes need theirs.
 */
const BUFFERS_SHARE = 1 / 32;

/** What is known of the memory that this process may lock, and has locked. */
export interface LockedMemory {
  /** The limit in bytes; null if there is none, or none that this process is held to. */
  limit: number | null;
  /** What this process has locked as far as the kernel shows it, in bytes: rings are not in it. */
  used: number;
}

const UNKNOWN: LockedMemory = { limit: null, used: 0 };

/** Looks it up; null where /proc cannot be read. */
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

/** Whether this kernel counts rings. */
export function ringsAreCounted(): boolean {
  return !kernelIsAtLeast(5, 12) || kernelIsAtLeast(6, 14);
}

/** Whether this process may register buffers of `bytes` bytes and leave enough to the user's other processes. */
export function mayRegister(bytes: number): boolean {
  const { limit, used } = lockedMemory() ?? UNKNOWN;
  return limit === null || used + bytes <= limit * BUFFERS_SHARE;
}

/**
 * The memory of a ring that was closed stays counted for a moment, as the kernel frees it behind our back: some
 * 30 ms. These pauses, in milliseconds, are long enough.
 */
const PAUSES = 25;
const PAUSE_MS = 10;
const never = new Int32Array(new SharedArrayBuffer(4));

/** Does `make` again and again for a quarter of a second if it fails for want of memory. */
export function patiently<T>(make: () => T): T {
  for (let pauses = 0; ; pauses++) {
    try {
      return make();
    } catch (error) {
      if ((error as { errno?: number }).errno !== ENOMEM || pauses === PAUSES) throw error;
      Atomics.wait(never, 0, 0, PAUSE_MS);
    }
  }
}
