/** Processes many files at once, with enough in flight to keep the ring full. */
import type { PathLike, Stats } from 'node:fs';
import { traced } from '../../loop/operation/traced.js';
import { throwIfAborted } from '../../loop/waiting/abort.js';
import { checkInt, checkSignal } from '../../sys/check/check.js';
import { checkOptions, optionNames } from '../../sys/check/options.js';
import { argTypeError } from '../../sys/errors/errors.js';
import { stat } from '../paths/path-calls.js';
import { readFile } from './whole-file.js';

const IN_FLIGHT = 64;

/** Options for many files. */
export interface ManyOptions {
  /** How many at once; default 64. */
  concurrency?: number | undefined;
  /** Aborting it starts no more files. */
  signal?: AbortSignal | undefined;
}

/** Options for reading. */
interface ReadManyOptions extends ManyOptions {
  encoding?: BufferEncoding | null | undefined;
}

const STAT_MANY = optionNames<ManyOptions>({ concurrency: true, signal: true });
const READ_MANY = optionNames<ReadManyOptions>({ concurrency: true, signal: true, encoding: true });

/**
 * Reads many files; the results are in the order of `paths`. Rejects with the first error, once all started reads have
 * ended.
 */
export function readMany(
  paths: Iterable<PathLike>,
  options: ManyOptions & { encoding: BufferEncoding },
): Promise<string[]>;
export function readMany(
  paths: Iterable<PathLike>,
  options?: ManyOptions & { encoding?: null },
): Promise<Buffer[]>;
export async function readMany(
  paths: Iterable<PathLike>,
  options: ReadManyOptions = {},
): Promise<(Buffer | string)[]> {
  checkOptions(options, READ_MANY);
  const { encoding = null } = options;
  return each(paths, options, path => readFile(path, { encoding }) as Promise<Buffer | string>);
}

/** The attributes of many files; as `readMany`. */
export async function statMany(paths: Iterable<PathLike>, options: ManyOptions = {}): Promise<Stats[]> {
  checkOptions(options, STAT_MANY);
  return each(paths, options, path => stat(path));
}

async function each<T>(
  paths: Iterable<PathLike>,
  { concurrency = IN_FLIGHT, signal }: ManyOptions,
  call: (path: PathLike) => Promise<T>,
): Promise<T[]> {
  const iterable = typeof paths === 'object' && paths !== null && Symbol.iterator in paths;
  // The bytes of a path are iterable too.
  if (!iterable || ArrayBuffer.isView(paths)) {
    throw argTypeError('paths', 'an iterable of paths', paths);
  }
  checkInt('options.concurrency', concurrency, 1, 0xffff);
  throwIfAborted(checkSignal(signal));
  const results: T[] = [];
  const errors: unknown[] = [];
  const queue = [...paths].entries();
  const worker = async (): Promise<void> => {
    for (const [index, path] of queue) {
      try {
        throwIfAborted(signal);
        results[index] = await call(path);
      } catch (error) {
        errors.push(error);
      }
      if (errors.length !== 0) return;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  if (errors.length !== 0) throw traced(errors[0]);
  return results;
}
