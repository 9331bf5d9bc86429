/** uasync: an async event loop for Node.js on Linux's io_uring. */
export {
  AbortError,
  type ActiveResource,
  allocPinned,
  availableBackend,
  type BackendChoice,
  type BackendKind,
  type BlockStats,
  type Completion,
  callSoon,
  type IterateOptions,
  type Iteration,
  type Loop,
  type LoopOptions,
  type LoopStats,
  loop,
  nop,
  type SignalIterator,
  signals,
  sleep,
  uasyncAvailable,
} from './loop/index.js';
export type { ErrorCode, ErrorCodes } from './sys/errors/error-codes.js';
export { UasyncError } from './sys/errors/errors.js';
export { Channel, type ChannelSendOptions } from './threads/channel.js';
export { type ChannelEnd, type ChannelOptions, channelPair } from './threads/channel-end.js';
