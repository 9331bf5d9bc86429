/** Why io_uring cannot be used here, and what to do about it. */

import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { EMFILE, ENFILE, ENOMEM, ENOSYS, EPERM } from './errno.js';
import { systemError, UasyncError } from './errors.js';

/** A file of /proc, or '' where it cannot be read. */
export function readProc(path: string): string {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    return '';
  }
}

/** Whether a seccomp filter is on this process. proc(5) */
export function seccompActive(): boolean {
  return /^Seccomp:\s*2/m.test(readProc('/proc/self/status'));
}

/** The running kernel as [major, minor]. */
export function kernelVersion(): [major: number, minor: number] {
  const [major = '0', minor = '0'] = release().split('.');
  return [Number.parseInt(major, 10) || 0, Number.parseInt(minor, 10) || 0];
}

/** Why the kernel refuses io_uring, and what to do about it. */
export interface Refusal {
  cause: string;
  cure: string;
}

const SECCOMP: Refusal = {
  cause: 'a seccomp filter is active',
  cure: 'in a container, run it with a profile that allows io_uring_setup, io_uring_enter and io_uring_register (Docker: --security-opt seccomp=PROFILE.json, or seccomp=unconfined to try)',
};

/** The likely cause of a failed io_uring_setup(2); undefined where there is no saying. */
export function refusalOf(errno: number): Refusal | undefined {
  const [major, minor] = kernelVersion();
  const disabled = readProc('/proc/sys/kernel/io_uring_disabled');
  switch (errno) {
    case ENOSYS:
      if (major < 5 || (major === 5 && minor < 6)) {
        return { cause: `Linux ${release()} is too old`, cure: '5.6 is the least' };
      }
      if (seccompActive()) return SECCOMP;
      return {
        cause: 'this kernel was built without CONFIG_IO_URING',
        cure: 'run one that was built with it',
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
          cure: 'sysctl kernel.io_uring_disabled=0 allows it to all, and kernel.io_uring_group names the group',
        };
      }
      if (seccompActive()) return SECCOMP;
      return {
        cause: 'a security policy refuses it',
        cure: 'see what SELinux, AppArmor or another LSM logged',
      };
    case ENOMEM:
      return {
        cause: 'the locked-memory limit is too low for the rings (kernels before 5.12 count them)',
        cure: 'raise it with ulimit -l, or LimitMEMLOCK= in systemd',
      };
    case EMFILE:
    case ENFILE:
      return { cause: 'no file descriptor is free', cure: 'raise the limit with ulimit -n' };
    default:
      return undefined;
  }
}

/**
 * The error of a failed io_uring_setup(2). Where io_uring as a whole is out of reach its code is
 * ERR_IO_URING_UNAVAILABLE, and the message names the likely cause and the cure.
 */
export function setupError(errno: number): UasyncError {
  const refusal = refusalOf(errno);
  if (refusal === undefined) return systemError(errno, 'io_uring_setup');
  const system = systemError(errno, 'io_uring_setup');
  const code = errno === ENOSYS || errno === EPERM ? 'ERR_IO_URING_UNAVAILABLE' : system.code;
  const { cause, cure } = refusal;
  const error = new UasyncError(code, `io_uring cannot be used (${system.code}): ${cause}: ${cure}`);
  error.errno = errno;
  error.syscall = 'io_uring_setup';
  return error;
}
