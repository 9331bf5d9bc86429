import { constants as osConstants } from 'node:os';
import { getSystemErrorMap, type InspectOptions, inspect } from 'node:util';
import { EAGAIN, ECANCELED } from '../abi/errno.js';

/** Details that a failed operation carries beside its code, as Node's own errors do. */
export interface ErrorDetails {
  address?: string | undefined;
  port?: number | undefined;
  path?: string | undefined;
  dest?: string | undefined;
  cause?: unknown;
}

let shownName = 'UasyncError';

/** Gives errors the names that Node's have, for programs that do not know this package. */
export function nameErrorsAsNode(): void {
  shownName = 'Error';
  // What `inspect` shows.
  Object.defineProperty(UasyncError, 'name', { value: shownName });
}

/**
 * Any failure of this package that is not a wrong argument. System errors have the shape of Node's:
 * `code` ('ECONNRESET'), `errno` (negative) and `syscall`, with `address`, `port`, `path` and `dest`
 * where they apply. Others have a `code` that begins with `ERR_`.
 */
export class UasyncError extends Error {
  /** The error's name, for instance 'ENOENT' or 'ERR_CLOSED'. */
  declare code: string;
  /** The negative errno, absent when the error does not come from the kernel. */
  declare errno?: number;
  /** The system call or operation that failed. */
  declare syscall?: string;
  /** The address, for example the destination of a connect. */
  declare address?: string;
  /** The port of `address`. */
  declare port?: number;
  /** The file or Unix socket of the failed call. */
  declare path?: string;
  /** The second file, for calls with two. */
  declare dest?: string;
  /**
   * The scope that Node's permission model denies, with code ERR_ACCESS_DENIED: 'FileSystemRead', 'FileSystemWrite',
   * 'Net'.
   */
  declare permission?: string;
  /** The denied resource: a path or an address. */
  declare resource?: string;

  constructor(code: string, message: string, details?: ErrorDetails) {
    super(message, details?.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
  }

  /** 'UasyncError'. With `uasync/register` for files 'Error', as for Node's errors. */
  override get name(): string {
    return shownName;
  }
}

/** libuv's table lacks some of Linux's errors. Node's os constants have only their names. */
let names: Map<number, [name: string, message: string]> | undefined;

function describe(errno: number): [name: string, message: string] {
  if (names === undefined) {
    names = new Map(getSystemErrorMap());
    // Neither has it. A ring that is not enabled yet fails with it.
    names.set(-77, ['EBADFD', 'file descriptor in bad state']);
    for (const [name, value] of Object.entries(osConstants.errno)) {
      if (!names.has(-value)) names.set(-value, [name, name.toLowerCase()]);
    }
  }
  return names.get(errno) ?? [`E${-errno}`, `unknown error ${-errno}`];
}

/** The name of a negative errno, such as 'ENOENT'. */
export function errnoName(errno: number): string {
  return describe(errno)[0];
}

function failure(
  [code, text]: readonly [code: string, text: string],
  errno: number | undefined,
  syscall: string,
  details: ErrorDetails | undefined,
): UasyncError {
  let message: string;
  if (details?.address !== undefined) {
    const port = details.port === undefined ? '' : `:${details.port}`;
    message = `${syscall} ${code} ${details.address}${port}`;
  } else {
    message = `${code}: ${text}, ${syscall}`;
    if (details?.path !== undefined) message += ` '${details.path}'`;
    if (details?.dest !== undefined) message += ` -> '${details.dest}'`;
  }
  const error = new UasyncError(code, message, details);
  if (errno !== undefined) error.errno = errno;
  error.syscall = syscall;
  if (details?.address !== undefined) error.address = details.address;
  if (details?.port !== undefined) error.port = details.port;
  if (details?.path !== undefined) error.path = details.path;
  if (details?.dest !== undefined) error.dest = details.dest;
  return error;
}

/**
 * An error for a negative errno, with Node's message: network errors as `connect ECONNREFUSED 127.0.0.1:80`, others as
 * `ENOENT: no such file or directory, open 'x'`.
 */
export function systemError(errno: number, syscall: string, details?: ErrorDetails): UasyncError {
  return failure(describe(errno), errno, syscall, details);
}

/** Why a process cannot start threads, and how to fix it. clone(2) */
export const THREADS_CAUSE =
  'no thread can be started: the user has as many processes and threads as RLIMIT_NPROC allows, or the container as many as pids.max';
export const THREADS_CURE =
  'raise the limit: ulimit -u in a shell, LimitNPROC or TasksMax in a systemd unit, --pids-limit with Docker';

/**
 * The error of an operation for which the kernel could not start a worker thread. `cause` is the kernel's own error.
 */
export function noThreadError(syscall: string, details?: ErrorDetails): UasyncError {
  const cause = systemError(ECANCELED, syscall, details);
  return failure(['EAGAIN', `${THREADS_CAUSE}: ${THREADS_CURE}`], EAGAIN, syscall, { ...details, cause });
}

/** What an error of this package may carry beside its code and message. */
const FIELDS = ['errno', 'syscall', 'address', 'port', 'path', 'dest', 'permission', 'resource'] as const;

/**
 * A copy of an error for one more caller. A connection fails once, but each call that fails with it gets its own error,
 * with the first as its `cause`.
 */
export function errorFrom(cause: Error): Error {
  if (!(cause instanceof UasyncError) || cause.constructor !== UasyncError) return cause;
  const error = new UasyncError(cause.code, cause.message, { cause });
  for (const field of FIELDS) {
    if (cause[field] !== undefined) Object.assign(error, { [field]: cause[field] });
  }
  return error;
}

/**
 * An error that an object keeps. Until its stack is first read, V8 keeps the objects whose methods its frames are: the
 * same object would never be collected once the program drops it.
 */
export function kept<E extends Error>(error: E): E {
  try {
    void error.stack;
  } catch {
    // The program's `Error.prepareStackTrace` has thrown. Who waits for this error must get it nevertheless.
  }
  return error;
}

/** The error of a call whose own `timeout` has expired. It has no `errno`: the kernel did not report it. */
export function timeoutError(syscall: string, details?: ErrorDetails): UasyncError {
  return failure(['ETIMEDOUT', 'the timeout has passed'], undefined, syscall, details);
}

/** The error of a call on a closed object, or on one that was closed while the call waited. */
export function closedError(what: string): UasyncError {
  return new UasyncError('ERR_CLOSED', `${what} is closed`);
}

/** The error of a call that the current state of its object does not allow. */
export function stateError(message: string): UasyncError {
  return new UasyncError('ERR_INVALID_STATE', message);
}

/** Adds the `code` that Node gives an error. */
export function withCode<E extends Error>(error: E, code: string): E & { code: string } {
  Object.defineProperty(error, 'code', { value: code, enumerable: true, writable: true, configurable: true });
  return error as E & { code: string };
}

function received(value: unknown): string {
  if (value === null || value === undefined) return `${value}`;
  if (typeof value === 'function') return `function ${value.name}`;
  if (typeof value === 'object') {
    const name: unknown = value.constructor?.name;
    return name && typeof name === 'string' ? `an instance of ${name}` : inspected(value, { depth: -1 });
  }
  if (typeof value === 'string') {
    const text = value.length > 28 ? `${value.slice(0, 25)}...` : value;
    return `type string (${text.includes("'") ? JSON.stringify(text) : `'${text}'`})`;
  }
  return `type ${typeof value} (${inspect(value)})`;
}

/** A value as text. `inspect` throws for a DataView of a detached buffer. */
function inspected(value: unknown, options?: InspectOptions): string {
  try {
    return inspect(value, options);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

/** How Node describes a name with a dot. */
function kind(name: string): string {
  return name.includes('.') ? 'property' : 'argument';
}

function shortened(value: unknown): string {
  const text = inspected(value);
  return text.length > 128 ? `${text.slice(0, 128)}...` : text;
}

/** Numbers beyond 32 bits with Node's separators: 4_294_967_296. */
function separated(value: unknown): string {
  const whole = typeof value === 'bigint' || Number.isInteger(value);
  const large = whole && ((value as number) > 2 ** 32 || (value as number) < -(2 ** 32));
  return large ? inspect(value, { numericSeparator: true }) : inspect(value);
}

/** A `TypeError` with Node's code ERR_INVALID_ARG_TYPE. */
export function argTypeError(name: string, expected: string, value: unknown): TypeError {
  const message = `The "${name}" ${kind(name)} must be ${expected}. Received ${received(value)}`;
  return withCode(new TypeError(message), 'ERR_INVALID_ARG_TYPE');
}

/** A `TypeError` with Node's code ERR_INVALID_ARG_VALUE. */
export function argValueError(name: string, reason: string, value: unknown): TypeError {
  const message = `The ${kind(name)} '${name}' ${reason}. Received ${shortened(value)}`;
  return withCode(new TypeError(message), 'ERR_INVALID_ARG_VALUE');
}

/** A `RangeError` with Node's code ERR_OUT_OF_RANGE. */
export function rangeError(name: string, range: string, value: unknown): RangeError {
  const message = `The value of "${name}" is out of range. It must be ${range}. Received ${separated(value)}`;
  return withCode(new RangeError(message), 'ERR_OUT_OF_RANGE');
}
