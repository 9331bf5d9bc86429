/** Why io_uring cannot be used on this machine, and how to fix it. */

import { release } from 'node:os';
import { EAGAIN, EMFILE, ENFILE, ENOMEM, ENOSYS, EPERM } from '../../sys/abi/errno.js';
import { systemError, THREADS_CAUSE, THREADS_CURE, UasyncError } from '../../sys/errors/errors.js';
import { kernelIsAtLeast, readProc } from '../../sys/proc.js';
import { lockedMemory } from './locked-memory.js';

/** Whether this process runs under a seccomp filter. proc(5) */
export function seccompActive(): boolean {
  return /^Seccomp:\s*2/m.test(readProc('/proc/self/status'));
}

/** Why the kernel refuses io_uring, and how to fix it. */
export interface Refusal {
  cause: string;
  cure: string;
}

const SECCOMP: Refusal = {
  cause: 'a seccomp filter is active',
  cure: 'in a container, run it with a profile that allows io_uring_setup, io_uring_enter and io_uring_register (Docker: --security-opt seccomp=PROFILE.json, or seccomp=unconfined to try)',
};

const KIB = 1024;

/** How to raise RLIMIT_MEMLOCK. */
export const MEMLOCK_CURE =
  'raise the limit: ulimit -l unlimited in a shell, LimitMEMLOCK=infinity in a systemd unit, --ulimit memlock=-1 with Docker';

/** Why the kernel has no memory for a ring, or for a registration. */
function noMemory(): Refusal {
  const locked = lockedMemory();
  if (locked === null) {
    return {
      cause: 'no memory is left for it, usually locked memory (/proc is not available to check)',
      cure: MEMLOCK_CURE,
    };
  }
  const { limit, used } = locked;
  if (limit === null) {
    return {
      cause: 'the kernel has no memory left for it',
      cure: 'check the memory limits of the process and its container (ulimit -v, memory.max of its cgroup)',
    };
  }
  return {
    cause: `no locked memory is left: RLIMIT_MEMLOCK allows ${limit / KIB} KiB to all processes of this user together, including rings (without rings, this process has ${used / KIB} KiB; the kernel does not report the total)`,
    cure: MEMLOCK_CURE,
  };
}

/** Why mmap(2) failed. */
const NO_ADDRESSES: Refusal = {
  cause: 'the process has no memory or no addresses left',
  cure: 'raise its limits: ulimit -v unlimited, LimitAS=infinity in a systemd unit, memory.max of its cgroup',
};

/** The likely cause of a failed call, usually io_uring_setup(2); undefined if unknown. */
export function refusalOf(errno: number, syscall = 'io_uring_setup'): Refusal | undefined {
  if (syscall === 'mmap') return NO_ADDRESSES;
  const disabled = readProc('/proc/sys/kernel/io_uring_disabled');
  switch (errno) {
    case ENOSYS:
      if (!kernelIsAtLeast(5, 6)) {
        return { cause: `Linux ${release()} is too old`, cure: 'run 5.6 or later' };
      }
      if (seccompActive()) return SECCOMP;
      return {
        cause: 'this kernel was built without CONFIG_IO_URING',
        cure: 'run a kernel that has it',
      };
    case EPERM:
      if (disabled === '2') {
        return {
          cause: 'the administrator has switched io_uring off',
          cure: 'sysctl kernel.io_uring_disabled=0 allows it',
        };
      }
      if (disabled === '1') {
        return {
          cause: 'only members of a group may use io_uring',
          cure: 'sysctl kernel.io_uring_disabled=0 allows everyone, and kernel.io_uring_group names the group',
        };
      }
      if (seccompActive()) return SECCOMP;
      return {
        cause: 'a security policy refuses it',
        cure: 'check the logs of SELinux, AppArmor or another LSM',
      };
    case ENOMEM:
      return noMemory();
    // SETUP_SQPOLL starts a thread.
    case EAGAIN:
      return { cause: THREADS_CAUSE, cure: THREADS_CURE };
    case EMFILE:
    case ENFILE:
      return { cause: 'no file descriptor is free', cure: 'raise the limit: ulimit -n' };
    default:
      return undefined;
  }
}

/** Errors that mean that no ring can be created, whatever its parameters. */
const UNAVAILABLE = new Set([ENOSYS, EPERM, ENOMEM]);

/**
 * The error of a failed io_uring_setup(2). If io_uring is not available at all, its code is
 * ERR_IO_URING_UNAVAILABLE, and the message names the likely cause and the fix.
 */
export function setupError(errno: number): UasyncError {
  const refusal = refusalOf(errno);
  if (refusal === undefined) return systemError(errno, 'io_uring_setup');
  return refused(errno, 'io_uring_setup', UNAVAILABLE.has(errno), refusal);
}

/** The error of a failed io_uring_register(2) that needs locked memory. */
export function registerError(errno: number): UasyncError {
  const limited = errno === ENOMEM && lockedMemory()?.limit !== null;
  if (!limited) return systemError(errno, 'io_uring_register');
  return refused(errno, 'io_uring_register', true, noMemory());
}

function refused(
  errno: number,
  syscall: string,
  unavailable: boolean,
  { cause, cure }: Refusal,
): UasyncError {
  const system = systemError(errno, syscall);
  const code = unavailable ? 'ERR_IO_URING_UNAVAILABLE' : system.code;
  const error = new UasyncError(code, `io_uring cannot be used (${system.code}): ${cause}: ${cure}`);
  error.errno = errno;
  error.syscall = syscall;
  return error;
}
