/** The options of `stat` and its relatives. */
import { throwIfAborted } from '../loop/abort.js';
import { checkSignal } from '../ring/check.js';
import { argTypeError } from '../ring/errors.js';
import { CHECKS_STAT_OPTIONS } from './running-node.js';

/** How `stat` and `lstat` answer. */
export interface StatOptions {
  /** Numbers as bigints, and times in nanoseconds too. */
  bigint?: boolean | undefined;
  /** Aborting it rejects the call, from Node 26 on, as in Node; ignored before. */
  signal?: AbortSignal | undefined;
}

/** Those of a call without any. */
export const DEFAULTS: StatOptions = {};

/** Throws what wrong options reject with; the signal to watch. */
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
