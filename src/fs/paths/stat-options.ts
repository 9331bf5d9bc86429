/** The options of `stat` and its relatives. */
import { throwIfAborted } from '../../loop/waiting/abort.js';
import { checkSignal } from '../../sys/check/check.js';
import { argTypeError } from '../../sys/errors/errors.js';
import { CHECKS_STAT_OPTIONS } from '../running-node.js';

/** The options of `stat` and `lstat`. */
export interface StatOptions {
  /** Returns numbers as bigints, and times in nanoseconds too. */
  bigint?: boolean | undefined;
  /** Aborting it rejects the call, as in Node from Node 26 on; ignored before. */
  signal?: AbortSignal | undefined;
}

/** The options of a call without any. */
export const DEFAULTS: StatOptions = {};

/** Throws the error for wrong options; returns the signal to watch. */
export function checkStat(options: StatOptions): AbortSignal | undefined {
  if (options === DEFAULTS) return undefined;
  if (!CHECKS_STAT_OPTIONS) {
    if (options === null) throw argTypeError('options', 'of type object', options);
    return undefined;
  }
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw argTypeError('options', 'of type object', options);
  }
  const signal = checkSignal(options.signal);
  throwIfAborted(signal);
  return signal;
}
