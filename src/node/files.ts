/**
 * `fs.promises` on the loop: replaces its functions in place by those of uasync/fs, which is loaded at the first call.
 * Functions that uasync/fs leaves to Node stay as they are.
 */
import nodeFs from 'node:fs';
import { promises as stock } from '../fs/node-promises.js';
import { loop } from '../loop/current.js';
import { nameErrorsAsNode } from '../ring/errors.js';
import { nodeHandles, type Returning } from './file-handles.js';
import { later } from './later.js';
import { Setback } from './setback.js';

type Api = typeof import('../fs/index.js').default;
type Call = (...args: unknown[]) => unknown;

/** Functions that take a path, in the order of Node's documentation. `open` is replaced too: see `openOnLoop`. */
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

const load = later<{ default: Api }>('../fs/index.js', './fs.js');

let api: Api | null = null;
const setback = new Setback();

/** uasync/fs, loaded on first use; null where the loop cannot run, and Node's own functions are used. */
function loaded(): Api | null {
  if (api !== null || setback.lasts) return api;
  try {
    loop();
    api = load()?.default ?? null;
  } catch {
    setback.note();
  }
  return api;
}

/** How handles of uasync/fs become Node's; null if they cannot. */
let returning: Returning | null | undefined;
let adapting: Promise<Returning | null | undefined> | undefined;

async function openOnLoop(api: Api, ...args: Parameters<Api['open']>): Promise<unknown> {
  if (returning === undefined) {
    adapting ??= nodeHandles();
    returning = await adapting;
    // For want of a descriptor, for example: the next call tries again.
    if (returning === undefined) adapting = undefined;
  }
  return returning == null ? stock.open(...args) : returning(await api.open(...args));
}

/** Replaces the functions. @param enabled called for each call. */
export function putFilesOn(enabled: () => boolean): void {
  nameErrorsAsNode();
  for (const name of CALLS) {
    const own = stock[name] as Call;
    replace(name, own, (...args) => {
      const calls = enabled() ? loaded() : null;
      return calls === null ? own(...args) : (calls[name] as Call)(...args);
    });
  }
  replace('open', stock.open as Call, (...args) => {
    const calls = enabled() ? loaded() : null;
    return calls === null
      ? (stock.open as Call)(...args)
      : openOnLoop(calls, ...(args as Parameters<Api['open']>));
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
