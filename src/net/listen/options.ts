/** The options of `listen`, checked. */
import { throwIfAborted } from '../../loop/waiting/abort.js';
import { checkInt, checkSignal } from '../../sys/check/check.js';
import { checkOptions, optionNames } from '../../sys/check/options.js';
import { argTypeError } from '../../sys/errors/errors.js';
import { hostOf, type IPFamily, versionOf } from '../address/resolve.js';
import { checkNoFds } from '../socket/adopt.js';

/** The address and the settings of a listener. */
export interface ListenOptions {
  /** TCP: the port, 0 to 65535; with 0 the system chooses one. */
  port?: number | undefined;
  /** TCP: a name or a numeric address; default '::', or '0.0.0.0' where there is no IPv6. */
  host?: string | undefined;
  /** TCP: the same as `host`, so that a socket's address can be passed. */
  address?: string | undefined;
  /** TCP: only an address of this family; without a host it listens for that family only. Default either. */
  family?: IPFamily | undefined;
  /** A Unix socket instead: its path, or an abstract name that begins with a NUL. */
  path?: string | undefined;
  /**
   * An inherited socket instead, TCP or Unix: bound, and perhaps listening, for example from systemd. The listener owns
   * it unless the call rejects. Closing the listener keeps the file of a Unix socket.
   */
  fd?: number | undefined;
  /** How many connections may wait to be accepted; default 511, bounded by net.core.somaxconn. */
  backlog?: number | undefined;
  /**
   * Lets several sockets share the port; the kernel distributes connections among them. Default false, and in a worker
   * of node:cluster true, unless the port is 0.
   */
  reusePort?: boolean | undefined;
  /** IPv6: refuses IPv4 connections on the same socket; default false. */
  ipv6Only?: boolean | undefined;
  /** Connections send small writes at once, TCP_NODELAY; default true. */
  noDelay?: boolean | undefined;
  /** The maximum number of open connections; others wait in the backlog. Default no limit. */
  maxConnections?: number | undefined;
  /** TCP: how many connections may be pending with data in their SYN; default none. Fast Open, tcp(7) */
  fastOpen?: number | undefined;
  /**
   * Unix sockets: connections accept descriptors that peers send, for `recvFds`; default false, and the kernel closes
   * them. Such a connection receives with one system call per message, and does not read ahead.
   */
  receiveFds?: boolean | undefined;
  /** Aborting it rejects the call with an AbortError; an existing listener continues. */
  signal?: AbortSignal | undefined;
}

/** Their names. */
export const LISTEN_NAMES: Record<keyof ListenOptions, true> = {
  port: true,
  host: true,
  address: true,
  family: true,
  path: true,
  fd: true,
  backlog: true,
  reusePort: true,
  ipv6Only: true,
  noDelay: true,
  maxConnections: true,
  fastOpen: true,
  receiveFds: true,
  signal: true,
};

/** @internal */
export const LISTEN_OPTIONS = optionNames<ListenOptions>(LISTEN_NAMES);

/** Checks the options that all kinds share; returns the backlog. */
export function checkSizes(options: ListenOptions): number {
  const backlog = checkInt('options.backlog', options.backlog ?? 511, 0, 0x7fffffff);
  checkInt('options.maxConnections', options.maxConnections ?? 1, 1, 0x7fffffff);
  throwIfAborted(checkSignal(options.signal));
  checkInt('options.fastOpen', options.fastOpen ?? 0, 0, 0x7fffffff);
  return backlog;
}

export function checkPort(options: ListenOptions): void {
  checkNoFds(options);
  const { port } = options;
  if (port === undefined) throw argTypeError('options.port', 'of type number', port);
  checkInt('options.port', port, 0, 65535);
  versionOf(options.family);
  hostOf(options);
}

/** @internal Checks the options for TCP; returns the backlog. */
export function checkListen(options: ListenOptions): number {
  checkOptions(options, LISTEN_OPTIONS);
  const backlog = checkSizes(options);
  checkPort(options);
  return backlog;
}

/** The options that `listen` has, if they are given. */
export function pickListenOptions(options: ListenOptions): ListenOptions {
  const given: Record<string, unknown> = {};
  for (const name of Object.keys(LISTEN_NAMES) as (keyof ListenOptions)[]) {
    if (options[name] !== undefined) given[name] = options[name];
  }
  return given;
}
