/** Node's own `fs.promises`, as it is when this is loaded: `uasync/register` replaces its functions after that. */
import { promises as current } from 'node:fs';

export const promises: typeof current = { ...current };
