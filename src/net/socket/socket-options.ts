/** getsockopt(2) and setsockopt(2) on the descriptor of a public object. */
import { isUint8Array } from 'node:util/types';
import { checkInt, checkU32 } from '../../sys/check/check.js';
import { argTypeError, systemError } from '../../sys/errors/errors.js';
import { libc } from '../../sys/libc/libc.js';
import { getIntOption, type OptionValue, setOption } from './options.js';

/** The maximum size of an option. */
const OPTION_MAX = 4096;

/** Options of an open socket of any kind. */
export abstract class SocketOptions {
  /** The socket's descriptor, -1 once closed. */
  abstract get fd(): number;
  /** @internal Throws if the socket is closed. */
  protected abstract checkOpen(): void;

  /** @internal Called before an option changes, so that earlier data is sent with the old settings. */
  protected beforeChange(): void {}

  /** @internal */
  protected set(level: number, name: number, value: OptionValue, syscall?: string): this {
    this.checkOpen();
    this.beforeChange();
    setOption(this.fd, level, name, value, syscall);
    return this;
  }

  /** @internal */
  protected getInt(level: number, name: number, syscall?: string): number {
    this.checkOpen();
    return getIntOption(this.fd, level, name, syscall);
  }

  /**
   * Any option as its bytes, getsockopt(2).
   * @param length the requested number of bytes; default 4, an int.
   */
  getOption(level: number, name: number, length = 4): Buffer {
    checkU32('level', level);
    checkU32('name', name);
    const value = Buffer.alloc(checkInt('length', length, 0, OPTION_MAX));
    const size = new Uint32Array([length]);
    this.checkOpen();
    const failed = libc().getsockopt(this.fd, level, name, value, size);
    if (failed < 0) throw systemError(failed, 'getsockopt');
    return value.subarray(0, size[0]);
  }

  /** Sets any option, from an int or from bytes, setsockopt(2). */
  setOption(level: number, name: number, value: number | Uint8Array): this {
    checkU32('level', level);
    checkU32('name', name);
    if (typeof value === 'number') return this.set(level, name, checkU32('value', value) | 0);
    if (!isUint8Array(value)) throw argTypeError('value', 'of type number or Uint8Array', value);
    return this.set(level, name, value);
  }
}
