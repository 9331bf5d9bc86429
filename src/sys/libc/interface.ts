/** The C library's calls, as the layers above see them. */
import type { Watch } from './watcher.js';

/** A record of a mapping: `words[at]` is its address, `words[at + 1]` its length. */
export interface Place {
  readonly words: Float64Array;
  readonly at: number;
}

/** Called when a call in libuv's pool has returned; with `error` if the call was not made. */
type PoolCallback = (error: unknown, value: number) => void;

/** The calls, bound to libc. Memory arguments are views; sizes are in bytes. */
export interface Libc {
  /** @param opens whether the result is a descriptor. */
  ioUringSetup(entries: number, params: Uint8Array, opens: boolean): number;
  /** `arg` is 0, or with IORING_ENTER_EXT_ARG_REG an offset; `argSize` is the size of the argument there. */
  ioUringEnter(
    fd: number,
    toSubmit: number,
    minComplete: number,
    flags: number,
    arg: number,
    argSize: number,
  ): number;
  /**
   * Submits one entry, whose completion must be the next one, at `words[at]`, with `mark` as the upper half of its
   * user_data. If it opens a descriptor, that is closed when the environment ends. Its result, or a negative errno.
   */
  enterOpening(ring: number, flags: number, words: Int32Array, at: number, mark: number): number;
  /** Submits entries, one of which closes `fd`. The environment's end does not close it again. */
  enterClosing(ring: number, toSubmit: number, flags: number, fd: number): number;
  /** io_uring_enter(2) with IORING_ENTER_EXT_ARG: `arg` is a struct io_uring_getevents_arg. */
  ioUringEnterArg(fd: number, toSubmit: number, minComplete: number, flags: number, arg: Uint8Array): number;
  ioUringRegister(fd: number, opcode: number, arg: Uint8Array | null, count: number): number;
  /** Any system call with up to six arguments, the first and the last of 32 bits. syscall(2) */
  syscall(number: number, a: number, b: number, c: number, d: number, e: number, f: number): number;
  /** Checks which of `count` descriptors are ready now; `address` is that of their struct pollfd[]. poll(2) */
  poll(address: number, count: number): number;
  /** Writes the time of a clock into a struct timespec at an address. clock_gettime(2) */
  clockGettime(clock: number, address: number): number;
  /**
   * Takes a pending signal of a sigset_t from this thread; its number, or a negative errno. Both are addresses.
   * sigtimedwait(2)
   * @param limit that of a struct timespec.
   */
  takeSignal(set: number, limit: number): number;
  /** Copies memory, by addresses. memcpy(3) */
  copy(to: number, from: number, length: number): void;
  /**
   * Makes a system call with up to six arguments, the last of 32 bits, in a thread of libuv's pool. `done` is called on
   * this thread, with a value for `poolResult`. If this environment ends first, it waits for the call, and does not call
   * `done`. Each pending call costs 256 KiB from the ninth on.
   * @throws if 256 of them are pending.
   */
  syscallInPool(
    number: number,
    a: number,
    b: number,
    c: number,
    d: number,
    e: number,
    f: number,
    done: PoolCallback,
  ): void;
  /** The result of a call in the pool, or a negative errno. Only valid within `done`. */
  poolResult(value: number): number;
  /** As `close`, in the pool; see `syscallInPool`. The environment's end does not close the descriptor again. */
  closeInPool(fd: number, done: PoolCallback): void;
  /** Copies a string of at most `size` bytes, including its NUL, by addresses; whether a NUL was found. memccpy(3) */
  copyString(to: number, from: number, size: number): boolean;
  /** Maps part of a ring's fd, and records it in `place`; the address, or a negative errno. */
  mmapRing(fd: number, length: number, offset: number, place: Place): number;
  /** Maps zeroed private memory, which takes no pages until it is touched. */
  mmapAnonymous(length: number, place: Place): number;
  munmap(address: number, length: number, place: Place): number;
  /** Drops the pages of private memory, which then reads as zeros. madvise(2) */
  madviseDontneed(address: number, length: number): number;
  /**
   * Makes the C library keep freed blocks of up to twice `bytes` for later allocations, instead of returning them to
   * the system and faulting them in again. glibc raises its thresholds when a mapping of that size is freed
   * (mallopt(3), M_MMAP_THRESHOLD), as any program's large buffer would do; musl does nothing.
   */
  keepFreedMemory(bytes: number): void;
  /** An ArrayBuffer over memory that C owns. The caller must stop using it before it is unmapped. */
  view(address: number, length: number): ArrayBuffer;
  /** The address of an ArrayBuffer's first byte. */
  addressOf(buffer: ArrayBufferLike): number;
  /** A worker's end closes it; likewise rings, and what `accept`, `eventfd`, `openFile` and `duplicate` open. */
  socket(domain: number, type: number, protocol: number): number;
  /** Accepts a connection; EAGAIN if there is none and the socket is non-blocking. accept4(2) */
  accept(listener: number): number;
  bind(fd: number, address: Uint8Array): number;
  listen(fd: number, backlog: number): number;
  /** Blocks the thread unless the socket is non-blocking. */
  connect(fd: number, address: Uint8Array): number;
  getsockname(fd: number, address: Uint8Array, length: Uint32Array): number;
  getpeername(fd: number, address: Uint8Array, length: Uint32Array): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array): number;
  getsockopt(fd: number, level: number, name: number, value: Uint8Array, length: Uint32Array): number;
  shutdown(fd: number, how: number): number;
  recv(fd: number, bytes: Uint8Array, flags: number): number;
  /** Sends bytes in place; with MSG_DONTWAIT it does not block. send(2) */
  send(fd: number, bytes: Uint8Array, flags: number): number;
  /** Receives to an address; with MSG_DONTWAIT it does not block. recv(2) */
  receiveAt(fd: number, address: number, length: number, flags: number): number;
  /** As `send`, from an address. */
  sendAt(fd: number, address: number, length: number, flags: number): number;
  /** Waits up to `timeout` milliseconds; `events` is the address of `count` struct epoll_event. epoll_wait(2) */
  epollWait(fd: number, events: number, count: number, timeout: number): number;
  /** Bytes that a socket has sent and its peer has not acknowledged; of a Unix socket, not read. SIOCOUTQ, tcp(7) */
  unacknowledged(fd: number): number;
  /** Bytes that have arrived at a stream socket and are not received. FIONREAD, tcp(7) */
  receivable(fd: number): number;
  /** `header` is a struct msghdr; with MSG_DONTWAIT it does not block. sendmsg(2) */
  sendmsg(fd: number, header: Uint8Array, flags: number): number;
  /** The same for recvmsg(2). */
  recvmsg(fd: number, header: Uint8Array, flags: number): number;
  /** The index of a network interface, 0 if there is none with that name. if_nametoindex(3) */
  interfaceIndex(name: string): number;
  /** The name of a network interface, null if there is none with that index. if_indextoname(3) */
  interfaceName(index: number): string | null;
  /** A counter that becomes readable, to wake a poller. eventfd(2) */
  eventfd(): number;
  /** Creates a non-blocking pipe. `ends` gets the read end, then the write end. pipe2(2) */
  pipe(ends: Int32Array): number;
  /**
   * Opens a file, openat(2) or openat2(2), or makes any other system call with arguments of these types whose result is
   * a descriptor.
   * @param number the system call's number.
   * @param path the address of a path.
   * @param flags openat's flags, or the address of a struct open_how; `last` is the mode, or that struct's size.
   */
  openFile(number: number, directory: number, path: number, flags: number, last: number): number;
  /** Creates a symbolic link; `text` and `name` are addresses. symlinkat(2) */
  symlink(text: number, directory: number, name: number): number;
  /** Closes a descriptor, which the environment's end then does not close again. */
  close(fd: number): number;
  /** Another descriptor of the same file, which child processes do not inherit. fcntl(2), F_DUPFD_CLOEXEC */
  duplicate(fd: number): number;
  /** Whether calls on it do not block. fcntl(2), O_NONBLOCK */
  isNonBlocking(fd: number): boolean;
  /** Makes calls on a socket non-blocking. */
  setNonBlocking(fd: number): number;
  /** Keeps child processes from inheriting a descriptor. fcntl(2), FD_CLOEXEC */
  setCloseOnExec(fd: number): number;
  /** Takes an exclusive lock on a file or directory; EAGAIN if another process holds one. flock(2) */
  flock(fd: number): number;
  /** Makes `to` a duplicate of `fd`; closes what `to` was before. dup2(2) */
  replace(to: number, fd: number): number;
  /** The current position of a file. lseek(2) with SEEK_CUR */
  position(fd: number): number;
  /** Sets the position of a file. lseek(2) with SEEK_SET */
  setPosition(fd: number, position: number): number;
  /** Sets the position of a file to its end. lseek(2) with SEEK_END */
  moveToEnd(fd: number): number;
  /**
   * Keeps libuv's loop iterating while `fd` is readable. It calls nothing: the code that reacts is a pending (even an
   * unreferenced) `setImmediate`.
   */
  watchReadable(fd: number): Watch;
  /**
   * Closes `fd` when this worker's environment ends, also by `worker.terminate()`, which runs no JavaScript. Calling it
   * again has no effect. The main thread's descriptors end with the process.
   */
  closeAtExit(fd: number): void;
  /** Cancels `closeAtExit`, before `fd` is closed by other means than `close`. */
  keepAtExit(fd: number): void;
  /** Zeroed memory that all threads of the process share; null where koffi could not be guarded. */
  readonly sharedMemory: ArrayBuffer | null;
  /** Whether this is its first call in the process; where threads share no memory, in this thread. */
  isFirst(): boolean;
  /** This thread's id. gettid(2) */
  threadId(): number;
  /** Whether this process has a thread with this id. tgkill(2) */
  threadExists(id: number): boolean;
  /** Whether another thread can be started now: starts one, which exits at once. pthread_create(3) */
  canStartThread(): boolean;
}
