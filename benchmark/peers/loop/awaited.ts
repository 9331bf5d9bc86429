/**
 * The cheapest operation to await, by COUNT coroutines at once: `nop()` of uasync, which goes through the kernel, or a
 * turn of Node's own loop, which does not. `node awaited.js uasync|node COUNT`
 */
import { setImmediate } from 'node:timers/promises';
import { nop } from 'uasync';
import { serveRounds } from '../worker.js';

const [whose, count] = process.argv.slice(2);
const least: () => Promise<unknown> = whose === 'uasync' ? nop : () => setImmediate();
const coroutines = Number(count);

// Reading a clock for every operation would cost more than the operation: each coroutine reads it once per batch.
const BATCH = Math.max(1, Math.min(64, Math.floor(1_000_000 / coroutines)));

await serveRounds(round => round.spread(coroutines, BATCH, least));
