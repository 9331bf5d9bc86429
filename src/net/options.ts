/** Socket options by setsockopt(2): they have no cost worth a ring entry, being set once. */
import { systemError } from '../ring/errors.js';
import { libc } from '../ring/libc.js';

// In Linux's numbers, the same on x64 and arm64
export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_KEEPALIVE = 9;
export const SO_LINGER = 13;
export const SO_REUSEPORT = 15;
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

/** Sets an option of type int. */
export function setIntOption(fd: number, level: number, name: number, value: number): void {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  setOption(fd, level, name, bytes);
}

/** Reads an option of type int. */
export function getIntOption(fd: number, level: number, name: number): number {
  const value = Buffer.alloc(4);
  const failed = libc().getsockopt(fd, level, name, value, new Uint32Array([4]));
  if (failed < 0) throw systemError(failed, 'getsockopt');
  return value.readInt32LE();
}

/** Sets an option from bytes. */
export function setOption(fd: number, level: number, name: number, value: Uint8Array): void {
  const failed = libc().setsockopt(fd, level, name, value);
  if (failed < 0) throw systemError(failed, 'setsockopt');
}

/** struct linger: a close that drops what is unsent and resets the connection. socket(7) */
export function setResetOnClose(fd: number): void {
  const linger = Buffer.alloc(8);
  linger.writeInt32LE(1, 0);
  setOption(fd, SOL_SOCKET, SO_LINGER, linger);
}

/** TCP keep-alive, tcp(7). */
export interface KeepAlive {
  /** Seconds without traffic before the first probe; the system's default is 7200. */
  idle?: number;
  /** Seconds between probes; the system's default is 75. */
  interval?: number;
  /** Unanswered probes after which the connection is dropped; the system's default is 9. */
  count?: number;
}

export function setKeepAlive(fd: number, enable: boolean, options: KeepAlive): void {
  setIntOption(fd, SOL_SOCKET, SO_KEEPALIVE, enable ? 1 : 0);
  if (options.idle !== undefined) setIntOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, options.idle);
  if (options.interval !== undefined) setIntOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, options.interval);
  if (options.count !== undefined) setIntOption(fd, IPPROTO_TCP, TCP_KEEPCNT, options.count);
}
