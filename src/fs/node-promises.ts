/** Node's own `fs.promises` at load time: `uasync/register` replaces its functions later. */
import { promises as current } from 'node:fs';

export const promises: typeof current = { ...current };
