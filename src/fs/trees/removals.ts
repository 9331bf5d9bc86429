/**
 * The removals of trees under way in this thread. Each directory that is being emptied takes a descriptor, so there are
 * few at a time, and thousands of `rm` can be started at once.
 */

/** How many trees are removed at once; the others wait. */
const TREES_MAX = 8;
/** How many directories are emptied beside those in turn. */
const BESIDE_MAX = 8;

let trees = 0;
let beside = 0;
const waiting: (() => void)[] = [];

/** Removes a tree once it is its turn. */
export async function inTurn(remove: () => Promise<void>): Promise<void> {
  // The one before passes its turn on.
  if (trees === TREES_MAX) await new Promise<void>(resolve => waiting.push(resolve));
  else trees++;
  try {
    await remove();
  } finally {
    const next = waiting.shift();
    if (next === undefined) trees--;
    else next();
  }
}

/** Whether another directory may be emptied beside the one in turn. */
export function mayBeBeside(): boolean {
  return beside < BESIDE_MAX;
}

/** Empties a directory beside the one in turn. */
export async function besideTurn(remove: () => Promise<void>): Promise<void> {
  beside++;
  try {
    await remove();
  } finally {
    beside--;
  }
}
