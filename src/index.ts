/** uasync: an async event loop for Node.js on Linux's io_uring. */
export {
  AbortError,
  type ActiveResource,
  allocPinned,
  type BlockStats,
  Channel,
  type ChannelEnd,
  type ChannelOptions,
  type Completion,
  callSoon,
  channelPair,
  type IterateOptions,
  type Iteration,
  type Loop,
  type LoopOptions,
  type LoopStats,
  loop,
  nop,
  type SendOptions,
  type SignalIterator,
  signals,
  sleep,
  uasyncAvailable,
} from './loop/index.js';
export type { ErrorCode, ErrorCodes } from './ring/error-codes.js';
export { UasyncError } from './ring/errors.js';
