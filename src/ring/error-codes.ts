/**
 * Every code of an error that this package makes itself. What the kernel refuses has the name of its errno, as in
 * errno(3). The comments are docs/errors.md: `npm run reference` writes it.
 */
export interface ErrorCodes {
  /**
   * A call was given up: its `signal` was aborted. `cause` is the signal's reason.
   * @cure None is needed. The name of the error is 'AbortError'.
   */
  ABORT_ERR: 'AbortError';
  /**
   * Something was closed before the call, or while it waited. Where it has a `cause`, the stack of that says who
   * closed it.
   * @cure Do not use what is closed: `closed` of each object says whether it is.
   */
  ERR_CLOSED: 'UasyncError';
  /**
   * The object is not in a state for this call: for instance a buffer was detached while it was being sent, or a
   * channel's end was opened before.
   * @cure The message says which. Leave buffers alone until the call has settled.
   */
  ERR_INVALID_STATE: 'UasyncError';
  /**
   * The kernel refuses io_uring: it is too old, switched off, or denied by a seccomp profile; or memory may not be
   * locked.
   * @cure The message names the cause and its fix; `npx uasync doctor` says more.
   */
  ERR_IO_URING_UNAVAILABLE: 'UasyncError';
  /**
   * Not Linux on x64 or arm64, or koffi cannot be loaded.
   * @cure Install with optional dependencies, on a supported platform; under `--permission` add `--allow-addons`.
   */
  ERR_UNSUPPORTED_PLATFORM: 'UasyncError';
  /**
   * This kernel, or this thread, does not have what the call needs.
   * @cure The message names the kernel that brought it. Signals come to the main thread.
   */
  ERR_UNSUPPORTED: 'UasyncError';
  /**
   * `loop()` was given options after the loop was made.
   * @cure Call `loop(options)` before anything else uses the package in this thread.
   */
  ERR_LOOP_EXISTS: 'UasyncError';
  /**
   * The kernel takes no more entries; or as many completions of `Loop.iterate` wait as it may hold.
   * @cure Have fewer operations in flight; take completions sooner, or raise `highWaterMark`.
   */
  ERR_QUEUE_FULL: 'UasyncError';
  /**
   * A raw operation on the runtime's loop names registered files, whose table is the runtime's.
   * @cure Make a `Ring` of your own for them.
   */
  ERR_RESERVED_FILES: 'UasyncError';
  /**
   * A raw operation names a buffer group that is the runtime's.
   * @cure Use a lower number.
   */
  ERR_RESERVED_GROUP: 'UasyncError';
  /**
   * libuv cannot watch the ring's descriptor.
   * @cure Raise the limit of open files: `ulimit -n`.
   */
  ERR_WATCH: 'UasyncError';
  /**
   * A check inside the package has failed: going on might have had the kernel write to memory of others.
   * @cure This is a bug in uasync: report it, with the stack.
   */
  ERR_INTERNAL_ASSERTION: 'UasyncError';
  /**
   * `readUntil` has not found its delimiter among the first `max` bytes, which stay unread.
   * @cure Raise `max`, or close the connection: the peer does not speak the protocol.
   */
  ERR_DELIMITER_NOT_FOUND: 'UasyncError';
  /**
   * A line is longer than `max` bytes.
   * @cure As for ERR_DELIMITER_NOT_FOUND.
   */
  ERR_LINE_TOO_LONG: 'UasyncError';
  /**
   * The peer ended before all that was asked for had come. What came stays unread.
   * @cure Read what is there, or treat the message as lost.
   */
  ERR_STREAM_PREMATURE_CLOSE: 'UasyncError';
  /**
   * Not all of a `sendMany` was taken: the error is a `SendManyError` that says which.
   * @cure Look at its `failures`. It has the code of the first of them where that has one.
   */
  ERR_SEND: 'SendManyError';
  /**
   * `connect` of a datagram socket that has a peer already.
   * @cure Call `disconnect()` first.
   */
  ERR_SOCKET_DGRAM_IS_CONNECTED: 'UasyncError';
  /**
   * `disconnect` of a datagram socket without a peer.
   * @cure None: it has no peer already.
   */
  ERR_SOCKET_DGRAM_NOT_CONNECTED: 'UasyncError';
  /**
   * A value that came through a channel could not be rebuilt in this thread; those after it can be received.
   * @cure `cause` says why. Send plain data.
   */
  ERR_MESSAGE: 'UasyncError';
  /**
   * A thread of `serveOnThreads` ended by itself.
   * @cure Look for `process.exit()` in the module that it runs.
   */
  ERR_THREAD_EXIT: 'UasyncError';
  /**
   * Node's permission model forbids it: `permission` and `resource` say what.
   * @cure Start Node with the flag that allows it, for instance `--allow-fs-read`.
   */
  ERR_ACCESS_DENIED: 'UasyncError';
  /**
   * An argument, or an option, has the wrong type.
   * @cure The message says which type it must have.
   */
  ERR_INVALID_ARG_TYPE: 'TypeError';
  /**
   * An argument has a value that is not allowed, or an option is unknown.
   * @cure The message says what is allowed, and which option may have been meant.
   */
  ERR_INVALID_ARG_VALUE: 'TypeError';
  /**
   * A number is too large, too small, or not an integer.
   * @cure The message says the range.
   */
  ERR_OUT_OF_RANGE: 'RangeError';
  /**
   * A descriptor is not the kind of socket that the call takes over.
   * @cure Pass a descriptor of the kind that the message names.
   */
  ERR_INVALID_FD_TYPE: 'TypeError';
  /**
   * A `lookup` function has returned what is no IP address.
   * @cure Have it return numeric addresses.
   */
  ERR_INVALID_IP_ADDRESS: 'TypeError';
  /**
   * The handle's method is not there, as in Node.
   * @cure Use another one: docs/fs.md lists them.
   */
  ERR_METHOD_NOT_IMPLEMENTED: 'Error';
  /**
   * A file is larger than a Buffer can be.
   * @cure Read it in chunks: `handle.chunks()`.
   */
  ERR_FS_FILE_TOO_LARGE: 'RangeError';
  /**
   * The body of a request has been refused, or will not come: it is malformed, too large or late. `status` says which.
   * @cure Let it through, and the peer gets that status; or return a response of your own from `onError`.
   */
  ERR_HTTP_BODY: 'UasyncError';
  /**
   * A file that was to be served does not exist, lies outside of `root`, or has become shorter. `status` is 404.
   * @cure Return a response of your own from `onError`, or let the peer get 404.
   */
  ERR_HTTP_FILE: 'UasyncError';
  /**
   * The body of a response has failed after its head was sent: the connection is cut. `cause` says why.
   * @cure Look at `cause`.
   */
  ERR_HTTP_ANSWER: 'UasyncError';
  /**
   * A body has more or fewer bytes than its `Content-Length` says.
   * @cure Leave `Content-Length` out: the server knows it, or sends chunks.
   */
  ERR_HTTP_CONTENT_LENGTH_MISMATCH: 'UasyncError';
  /**
   * What was parsed of a request was refused; as `code` on the channel `uasync:http:refused`.
   * @cure None is needed: the peer was told by a status.
   */
  ERR_HTTP_REQUEST: 'UasyncError';
  /**
   * A request was not complete in time; likewise.
   * @cure Raise `headersTimeout` or `requestTimeout` if such peers are welcome.
   */
  ERR_HTTP_REQUEST_TIMEOUT: 'UasyncError';
  /**
   * The target or the `Host` of a request is no valid URL; likewise.
   * @cure None is needed.
   */
  ERR_INVALID_URL: 'UasyncError';
  /**
   * A handler has not returned a `Response`.
   * @cure Return one from every branch of it.
   */
  ERR_INVALID_RETURN_VALUE: 'TypeError';
  /**
   * A server of Node's was started a second time.
   * @cure Close it first, or make another one.
   */
  ERR_SERVER_ALREADY_LISTEN: 'Error';
}

/** The codes of errors that this package makes itself: docs/errors.md says what each means. Others are errno names. */
export type ErrorCode = keyof ErrorCodes;
