/** Socket options by setsockopt(2). They are set once, so a ring entry would gain nothing. */

import {
  IPPROTO_TCP,
  SO_KEEPALIVE,
  SO_LINGER,
  SOL_SOCKET,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
} from '../../sys/abi/sockets.js';
import { optionNames } from '../../sys/check/options.js';
import { systemError } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';

/** The value of an option: an int, or a struct's bytes. */
export type OptionValue = number | Uint8Array;

/** Sets an option; an error names `syscall`. */
export function setOption(
  fd: number,
  level: number,
  name: number,
  value: OptionValue,
  syscall = 'setsockopt',
): void {
  let bytes = value;
  if (typeof bytes === 'number') {
    const int = Buffer.alloc(4);
    int.writeInt32LE(bytes);
    bytes = int;
  }
  const failed = libc().setsockopt(fd, level, name, bytes);
  if (failed < 0) throw systemError(failed, syscall);
}

/** Reads an option of type int; an error names `syscall`. */
export function getIntOption(fd: number, level: number, name: number, syscall = 'getsockopt'): number {
  const value = Buffer.alloc(4);
  const failed = libc().getsockopt(fd, level, name, value, new Uint32Array([4]));
  if (failed < 0) throw systemError(failed, syscall);
  return value.readInt32LE();
}

/** struct linger for a close that drops unsent data and resets the connection. socket(7) */
export function setResetOnClose(fd: number): void {
  const linger = Buffer.alloc(8);
  linger.writeInt32LE(1, 0);
  setOption(fd, SOL_SOCKET, SO_LINGER, linger);
}

/** TCP keep-alive, tcp(7). */
export interface KeepAlive {
  /** Seconds without traffic before the first probe, 1 to 32767; the system's default is 7200. */
  idle?: number | undefined;
  /** Seconds between probes, 1 to 32767; the system's default is 75. */
  interval?: number | undefined;
  /** Unanswered probes after which the connection is dropped, 1 to 127; the system's default is 9. */
  count?: number | undefined;
}

export const KEEP_ALIVE_OPTIONS = optionNames<KeepAlive>({ idle: true, interval: true, count: true });

export function setKeepAlive(fd: number, enable: boolean, options: KeepAlive): void {
  setOption(fd, SOL_SOCKET, SO_KEEPALIVE, enable ? 1 : 0);
  if (options.idle !== undefined) setOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, options.idle);
  if (options.interval !== undefined) setOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, options.interval);
  if (options.count !== undefined) setOption(fd, IPPROTO_TCP, TCP_KEEPCNT, options.count);
}
