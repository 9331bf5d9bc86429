/**
 * `fs.promises` on the loop: its functions are replaced in place by those of uasync/fs, which is loaded at the first
 * call. What uasync/fs leaves to Node stays as it is.
 */
import nodeFs from 'node:fs';
import { promises as stock } from '../../fs/node-promises.js';
import { later } from '../later.js';
import { Setback } from '../setback.js';

type Files = typeof import('./loop-files.js');
type Call = (...args: unknown[]) => unknown;

/** Functions that take a path, in the order of Node's documentation. `open` is replaced too. */
const CALLS = [
  'access',
  'appendFile',
  'chmod',
  'cp',
  'link',
  'lstat',
  'mkdir',
  'readFile',
  'readdir',
  'readlink',
  'realpath',
  'rename',
  'rm',
  'rmdir',
  'stat',
  'symlink',
  'truncate',
  'unlink',
  'writeFile',
] as const;

const load = later<Files>('./files/loop-files.js', './loop-files.js');

let files: Files | null = null;
const setback = new Setback();

/** What serves the calls, loaded on first use; null where the loop cannot run, and Node's own functions are used. */
function loaded(): Files | null {
  if (files !== null || setback.skips()) return files;
  try {
    if (isLoader()) return null;
    const made = load();
    if (made?.canRun()) files = made;
  } catch {
    // It is not there, or the program's `Error.prepareStackTrace` throws.
  }
  if (files === null) setback.note();
  return files;
}

/** Whether Node itself calls, to load a module: that is no reason to load a loop. */
function isLoader(): boolean {
  const at = { stack: '' };
  Error.captureStackTrace(at, loaded);
  // Above the caller are a title and the function that was called.
  return String(at.stack).split('\n')[2]?.includes('node:internal/modules/') ?? false;
}

/** Replaces the functions. @param enabled asked at each call. */
export function putFilesOn(enabled: () => boolean): void {
  for (const name of CALLS) {
    const own = stock[name] as Call;
    replace(name, own, (...args) => {
      const served = enabled() ? loaded() : null;
      return served === null ? own(...args) : (served.calls[name] as Call)(...args);
    });
  }
  replace('open', stock.open as Call, (...args) => {
    const served = enabled() ? loaded() : null;
    return served === null ? (stock.open as Call)(...args) : (served.open as Call)(...args);
  });
}

/** Replaces a function of `fs.promises` by one with the same name and length. */
function replace(name: keyof typeof stock, own: Call, value: Call): void {
  Object.defineProperty(value, 'name', { value: name, configurable: true });
  Object.defineProperty(value, 'length', { value: own.length, configurable: true });
  Object.defineProperty(nodeFs.promises, name, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  });
}
