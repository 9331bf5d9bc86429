/** What stands for `fs.promises` on the loop: loaded at the first call, with all of uasync/fs. */
import api from '../../fs/index.js';
import { promises as stock } from '../../fs/node-promises.js';
import { loop } from '../../loop/current.js';
import { nameErrorsAsNode } from '../../sys/errors/errors.js';
import { nodeHandles, type Returning } from './file-handles.js';

/** The functions that take a path. */
export const calls = api;

/** Whether the loop runs here. */
export function canRun(): boolean {
  try {
    loop();
  } catch {
    return false;
  }
  nameErrorsAsNode();
  return true;
}

/** How handles of uasync/fs become Node's; null if they cannot. */
let returning: Returning | null | undefined;
let adapting: Promise<Returning | null | undefined> | undefined;

/** `open`, whose handles are Node's. */
export async function open(...args: Parameters<typeof api.open>): Promise<unknown> {
  if (returning === undefined) {
    adapting ??= nodeHandles();
    returning = await adapting;
    // For want of a descriptor, for example: the next call tries again.
    if (returning === undefined) adapting = undefined;
  }
  return returning == null ? stock.open(...args) : returning(await api.open(...args));
}
