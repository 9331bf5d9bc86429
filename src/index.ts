/** uasync: an async event loop for Node.js on Linux's io_uring. */
export {
  AbortError,
  allocPinned,
  type BlockStats,
  Channel,
  type ChannelEnd,
  type ChannelOptions,
  callSoon,
  channelPair,
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
export { UasyncError } from './ring/errors.js';
