/** uasync: an async event loop for Node.js on Linux's io_uring. */
export {
  AbortError,
  type BlockStats,
  callSoon,
  type Loop,
  type LoopOptions,
  type LoopStats,
  loop,
  nop,
  sleep,
  uasyncAvailable,
} from './loop/index.js';
export { UasyncError } from './ring/errors.js';
