/** One completion of an operation with several. */
export interface Completion {
  /** The result of the system call, or a negative errno: a multishot timeout completes with -ETIME. */
  res: number;
  /** CQE_F_ flags. Without CQE_F_MORE this was the last completion. */
  flags: number;
  /** The provided buffer with the data, -1 if there is none. */
  bufferId: number;
}

/** The options of `Loop.iterate`. */
export interface IterateOptions {
  /**
   * Aborting it cancels the operation. Completions that have arrived are delivered, then the iteration fails with an
   * AbortError.
   */
  signal?: AbortSignal | undefined;
  /**
   * How many completions may wait to be taken, default 1024. The kernel does not wait for the consumer: at that number
   * the operation is cancelled, completions that have arrived are delivered, and the iteration fails with
   * ERR_QUEUE_FULL.
   */
  highWaterMark?: number | undefined;
}

/** The completions of one operation, see `Loop.iterate`. */
export interface Iteration extends AsyncIterableIterator<Completion, undefined> {
  /** The operation's name in errors. */
  readonly syscall: string;
  /** The next completion. */
  next(): Promise<IteratorResult<Completion, undefined>>;
  /**
   * Cancels the operation, and resolves once the kernel is done with it. Completions that were not taken are dropped;
   * descriptors among them are closed.
   */
  return(): Promise<IteratorResult<Completion, undefined>>;
  /** As `return`, and then rejects with `error`. */
  throw(error?: unknown): Promise<IteratorResult<Completion, undefined>>;
  [Symbol.asyncIterator](): this;
  [Symbol.asyncDispose](): Promise<void>;
}
