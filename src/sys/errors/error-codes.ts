/**
 * The codes of all errors that this package creates itself. Errors of the kernel have the name of their errno, as in
 * errno(3). `npm run reference` writes docs/errors.md from these comments.
 */
export interface ErrorCodes {
  /**
   * The `signal` of the call was aborted. `cause` is the signal's reason.
   * @cure None needed. The error's name is 'AbortError'.
   */
  ABORT_ERR: 'AbortError';
  /**
   * The object was closed before the call, or while the call waited. If the error has a `cause`, its stack shows who
   * closed the object.
   * @cure Do not use closed objects: their property `closed` is true.
   */
  ERR_CLOSED: 'UasyncError';
  /**
   * The state of the object does not allow this call: for instance a buffer was detached while it was being sent, or a
   * channel's end was opened before.
   * @cure The message says what is wrong. Do not touch buffers until the call has settled.
   */
  ERR_INVALID_STATE: 'UasyncError';
  /**
   * The kernel refuses io_uring: it is too old, io_uring is switched off or denied by a seccomp profile, or the process
   * may not lock memory.
   * @cure The message names the cause and its fix; `npx uasync doctor` says more.
   */
  ERR_IO_URING_UNAVAILABLE: 'UasyncError';
  /**
   * The platform is not Linux on x64 or arm64, or koffi cannot be loaded.
   * @cure Install with optional dependencies, on a supported platform; under `--permission` add `--allow-addons`.
   */
  ERR_UNSUPPORTED_PLATFORM: 'UasyncError';
  /**
   * This kernel, or this thread, does not support the call.
   * @cure The message names the required kernel. Signals are only delivered to the main thread.
   */
  ERR_UNSUPPORTED: 'UasyncError';
  /**
   * `loop()` got options after the loop was created.
   * @cure Call `loop(options)` before anything else uses the package in this thread.
   */
  ERR_LOOP_EXISTS: 'UasyncError';
  /**
   * The kernel accepts no more entries; or `Loop.iterate` has as many waiting completions as it may keep.
   * @cure Keep fewer operations in flight; take completions sooner, or raise `highWaterMark`.
   */
  ERR_QUEUE_FULL: 'UasyncError';
  /**
   * A raw operation on the runtime's loop uses registered files, whose table belongs to the runtime.
   * @cure Create a `Ring` of your own for them.
   */
  ERR_RESERVED_FILES: 'UasyncError';
  /**
   * A raw operation uses a buffer group that belongs to the runtime.
   * @cure Use a lower number.
   */
  ERR_RESERVED_GROUP: 'UasyncError';
  /**
   * libuv cannot watch the ring's descriptor.
   * @cure Raise the limit of open files: `ulimit -n`.
   */
  ERR_WATCH: 'UasyncError';
  /**
   * A check inside the package has failed. Continuing could have made the kernel write to the wrong memory.
   * @cure This is a bug in uasync: please report it, with the stack.
   */
  ERR_INTERNAL_ASSERTION: 'UasyncError';
  /**
   * `readUntil` has not found its delimiter within the first `max` bytes, which stay unread.
   * @cure Raise `max`, or close the connection: the peer does not speak the protocol.
   */
  ERR_DELIMITER_NOT_FOUND: 'UasyncError';
  /**
   * A line is longer than `max` bytes.
   * @cure As for ERR_DELIMITER_NOT_FOUND.
   */
  ERR_LINE_TOO_LONG: 'UasyncError';
  /**
   * The peer ended before all requested bytes had arrived. The bytes so far stay unread.
   * @cure Read the available bytes, or treat the message as lost.
   */
  ERR_STREAM_PREMATURE_CLOSE: 'UasyncError';
  /**
   * Some datagrams of a `sendMany` were not sent: the `SendManyError` has the details.
   * @cure Check its `failures`. It has the code of the first of them, if that has one.
   */
  ERR_SEND: 'SendManyError';
  /**
   * `connect` on a datagram socket that is already connected.
   * @cure Call `disconnect()` first.
   */
  ERR_SOCKET_DGRAM_IS_CONNECTED: 'UasyncError';
  /**
   * `disconnect` on a datagram socket that is not connected.
   * @cure None needed: it has no peer.
   */
  ERR_SOCKET_DGRAM_NOT_CONNECTED: 'UasyncError';
  /**
   * A value from a channel could not be rebuilt in this thread. Later values can be received.
   * @cure `cause` says why. Send plain data.
   */
  ERR_MESSAGE: 'UasyncError';
  /**
   * A thread of `serveOnThreads` ended unexpectedly.
   * @cure Look for `process.exit()` in its module.
   */
  ERR_THREAD_EXIT: 'UasyncError';
  /**
   * Node's permission model denies the access: see `permission` and `resource`.
   * @cure Start Node with the flag that allows it, for instance `--allow-fs-read`.
   */
  ERR_ACCESS_DENIED: 'UasyncError';
  /**
   * An argument or an option has the wrong type.
   * @cure The message names the expected type.
   */
  ERR_INVALID_ARG_TYPE: 'TypeError';
  /**
   * An argument has an invalid value, or an option is unknown.
   * @cure The message names the allowed values, and an option that was probably meant.
   */
  ERR_INVALID_ARG_VALUE: 'TypeError';
  /**
   * A number is too large, too small, or not an integer.
   * @cure The message has the range.
   */
  ERR_OUT_OF_RANGE: 'RangeError';
  /**
   * A descriptor is not the kind of socket that the call takes over.
   * @cure Pass a descriptor of the kind that the message names.
   */
  ERR_INVALID_FD_TYPE: 'TypeError';
  /**
   * A `lookup` function has returned something other than an IP address.
   * @cure Return numeric addresses.
   */
  ERR_INVALID_IP_ADDRESS: 'TypeError';
  /**
   * The handle does not have this method, as in Node.
   * @cure Use another method: docs/fs.md lists them.
   */
  ERR_METHOD_NOT_IMPLEMENTED: 'Error';
  /**
   * A file is larger than 2 GiB, the most that `readFile` reads, as in Node.
   * @cure Read it in chunks: `handle.chunks()`.
   */
  ERR_FS_FILE_TOO_LARGE: 'RangeError';
  /**
   * The body of a request was refused, or will not be complete: it is malformed, too large or late. `status` has the
   * reason.
   * @cure Do not catch it, and the peer gets that status; or return another response from `onError`.
   */
  ERR_HTTP_BODY: 'UasyncError';
  /**
   * A file to be served does not exist, is outside of `root`, or has become shorter. `status` is 404.
   * @cure Return another response from `onError`, or let the peer get 404.
   */
  ERR_HTTP_FILE: 'UasyncError';
  /**
   * The body of a response failed after its head was sent, so the connection was cut. `cause` is the reason.
   * @cure Check `cause`.
   */
  ERR_HTTP_ANSWER: 'UasyncError';
  /**
   * A body has more or fewer bytes than its `Content-Length`.
   * @cure Omit `Content-Length`: the server knows the length, or sends chunks.
   */
  ERR_HTTP_CONTENT_LENGTH_MISMATCH: 'UasyncError';
  /**
   * A parsed request was refused; the `code` on the channel `uasync:http:refused`.
   * @cure None needed: the peer got a status.
   */
  ERR_HTTP_REQUEST: 'UasyncError';
  /**
   * A request was not complete in time; also on that channel.
   * @cure Raise `headersTimeout` or `requestTimeout` to accept such peers.
   */
  ERR_HTTP_REQUEST_TIMEOUT: 'UasyncError';
  /**
   * The target or the `Host` of a request is not a valid URL; also on that channel.
   * @cure None needed.
   */
  ERR_INVALID_URL: 'UasyncError';
  /**
   * A handler did not return a `Response`.
   * @cure Return one from every branch.
   */
  ERR_INVALID_RETURN_VALUE: 'TypeError';
  /**
   * A server of Node's was started a second time.
   * @cure Close it first, or create another one.
   */
  ERR_SERVER_ALREADY_LISTEN: 'Error';
}

/** The codes of errors that this package creates itself; docs/errors.md explains them. Others are errno names. */
export type ErrorCode = keyof ErrorCodes;
