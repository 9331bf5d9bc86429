/**
 * Callbacks for the next turn, 1000 queued at a time: `callSoon` of uasync, `setImmediate` or
 * `process.nextTick` of Node. `node callbacks.js uasync|immediate|tick`
 */
import { callSoon } from 'uasync';
import { type Round, serveRounds } from '../worker.js';

const WAYS: Record<string, (callback: () => void) => void> = {
  uasync: callSoon,
  immediate: callback => void setImmediate(callback),
  tick: callback => process.nextTick(callback),
};
const later = WAYS[process.argv[2] ?? 'uasync']!;
const BATCH = 1000;

function batch(round: Round): Promise<void> {
  return new Promise(resolve => {
    let left = BATCH;
    const callback = (): void => {
      left--;
      if (left === 0) resolve();
    };
    for (let i = 0; i < BATCH; i++) later(callback);
    round.ops += BATCH;
  });
}

await serveRounds(async round => {
  // Ends each batch in a turn of its own, for every API.
  do {
    await batch(round);
    await new Promise(resolve => setImmediate(resolve));
  } while (!round.over);
});
