/** Socket options by setsockopt(2): they have no cost worth a ring entry, being set once. */

import { systemError } from '../ring/errors.js';
import { libc } from '../ring/libc.js';
import { optionNames } from '../ring/options.js';

// In Linux's numbers, the same on x64 and arm64
export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_TYPE = 3;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_KEEPALIVE = 9;
export const SO_LINGER = 13;
export const SO_REUSEPORT = 15;
export const SO_ACCEPTCONN = 30;
export const SO_DOMAIN = 39;
export const IPPROTO_TCP = 6;
export const TCP_NODELAY = 1;
export const TCP_CORK = 3;
export const TCP_KEEPIDLE = 4;
export const TCP_KEEPINTVL = 5;
export const TCP_KEEPCNT = 6;
export const TCP_INFO = 11;
export const TCP_FASTOPEN = 23;
export const TCP_FASTOPEN_CONNECT = 30;
export const IPPROTO_IP = 0;
export const IP_TOS = 1;
export const IPPROTO_IPV6 = 41;
export const IPV6_V6ONLY = 26;
export const IPV6_TCLASS = 67;

/** What an option holds: an int, or a struct's bytes. */
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

/** struct linger: a close that drops what is unsent and resets the connection. socket(7) */
export function setResetOnClose(fd: number): void {
  const linger = Buffer.alloc(8);
  linger.writeInt32LE(1, 0);
  setOption(fd, SOL_SOCKET, SO_LINGER, linger);
}

/** TCP keep-alive, tcp(7). */
export interface KeepAlive {
  /** Seconds without traffic before the first probe, 1 to 32767; the system's default is 7200. */
  idle?: number;
  /** Seconds between probes, 1 to 32767; the system's default is 75. */
  interval?: number;
  /** Unanswered probes after which the connection is dropped, 1 to 127; the system's default is 9. */
  count?: number;
}

export const KEEP_ALIVE_OPTIONS = optionNames<KeepAlive>({ idle: true, interval: true, count: true });

export function setKeepAlive(fd: number, enable: boolean, options: KeepAlive): void {
  setOption(fd, SOL_SOCKET, SO_KEEPALIVE, enable ? 1 : 0);
  if (options.idle !== undefined) setOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, options.idle);
  if (options.interval !== undefined) setOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, options.interval);
  if (options.count !== undefined) setOption(fd, IPPROTO_TCP, TCP_KEEPCNT, options.count);
}
