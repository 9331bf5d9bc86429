/**
 * The only file that uses koffi. Everything that crosses from JavaScript into C goes through it: the three io_uring
 * system calls, memory mapping, socket calls that have no opcode (or had none in older kernels), and the wake-up from
 * libuv. Each call returns its result, or a negative errno.
 *
 * koffi is loaded on first use: importing this package is harmless where koffi cannot run.
 */

import { constants } from 'node:fs';
import { descriptorCalls } from './descriptor-calls.js';
import { ESRCH } from './errno.js';
import { UasyncError } from './errors.js';
import { guardKoffi, sharedMemory } from './koffi-guard.js';
import { type Koffi, loadKoffi } from './load-koffi.js';
import { NR_GETTID, NR_IO_URING_ENTER, NR_IO_URING_REGISTER, NR_TGKILL } from './syscall-numbers.js';
import type { Place } from './thread-records.js';
import { transferCalls } from './transfer-calls.js';
import { type Watch, watcher } from './watcher.js';

export type { Watch } from './watcher.js';

// The same numbers on every architecture: they came after the kernel unified its tables.

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;
const MAP_POPULATE = 0x8000;
const MADV_DONTNEED = 4;
const MADV_DONTFORK = 10;
/** A word of the shared memory, in the first page after the words of thread-records.ts. */
const FIRST_AT = 4092;
const SIOCOUTQ = 0x5411;
const SEEK_SET = 0;
const SEEK_CUR = 1;
const F_GETFL = 3;
const F_SETFL = 4;
const { O_NONBLOCK } = constants;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;
/** The longest name of a network interface, with the NUL at its end. */
const IF_NAMESIZE = 16;

/** Called when a call in libuv's pool has returned; with `error` if the call was not made. */
export type PoolCallback = (error: unknown, value: number) => void;

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

let bound: Libc | undefined;

/**
 * libc, loaded on first use.
 * @throws UasyncError ERR_UNSUPPORTED_PLATFORM off Linux, or where koffi has no binary.
 */
export function libc(): Libc {
  bound ??= bind();
  return bound;
}

function bind(): Libc {
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) {
    throw new UasyncError(
      'ERR_UNSUPPORTED_PLATFORM',
      `io_uring needs Linux on x64 or arm64; this is ${process.platform} on ${process.arch}`,
    );
  }
  return wrap(loadKoffi());
}

function wrap(koffi: Koffi): Libc {
  const lib = koffi.load(null);
  guardKoffi(koffi, lib);
  // Only ints: koffi converts each argument, and 64-bit ones cost more.
  const enter = lib.func('syscall', 'int', ['int', 'int', 'uint', 'uint', 'uint', 'int', 'int']);
  const enterArg = lib.func('syscall', 'int', ['long', 'int', 'uint', 'uint', 'uint', 'void *', 'size_t']);
  const register = lib.func('syscall', 'int', ['long', 'int', 'uint', 'void *', 'uint']);
  const syscall = lib.func('syscall', 'int', [
    'int',
    'int',
    'intptr_t',
    'intptr_t',
    'intptr_t',
    'intptr_t',
    'int',
  ]);
  const poll = lib.func('poll', 'int', ['intptr_t', 'ulong', 'int']);
  const clockGettime = lib.func('clock_gettime', 'int', ['int', 'intptr_t']);
  const memcpy = lib.func('memcpy', 'void', ['intptr_t', 'intptr_t', 'size_t']);
  const syscallOfAddresses = lib.func('syscall', 'int', [
    'int',
    'intptr_t',
    'intptr_t',
    'intptr_t',
    'intptr_t',
    'intptr_t',
    'int',
  ]);
  const memccpy = lib.func('memccpy', 'intptr_t', ['intptr_t', 'intptr_t', 'int', 'size_t']);
  const mmap = lib.func('mmap', 'intptr_t', ['intptr_t', 'size_t', 'int', 'int', 'int', 'int64_t']);
  const munmap = lib.func('munmap', 'int', ['intptr_t', 'size_t']);
  const madvise = lib.func('madvise', 'int', ['intptr_t', 'size_t', 'int']);
  const malloc = lib.func('malloc', 'intptr_t', ['size_t']);
  const free = lib.func('free', 'void', ['intptr_t']);
  const bindTo = lib.func('bind', 'int', ['int', 'void *', 'uint']);
  const listen = lib.func('int listen(int, int)');
  const connect = lib.func('connect', 'int', ['int', 'void *', 'uint']);
  const getsockname = lib.func('getsockname', 'int', ['int', 'void *', 'void *']);
  const getpeername = lib.func('getpeername', 'int', ['int', 'void *', 'void *']);
  const setsockopt = lib.func('setsockopt', 'int', ['int', 'int', 'int', 'void *', 'uint']);
  const getsockopt = lib.func('getsockopt', 'int', ['int', 'int', 'int', 'void *', 'void *']);
  const fcntl = lib.func('int fcntl(int, int, int)');
  const symlinkat = lib.func('symlinkat', 'int', ['intptr_t', 'int', 'intptr_t']);
  const flock = lib.func('int flock(int, int)');
  const dup2 = lib.func('int dup2(int, int)');
  const shutdown = lib.func('int shutdown(int, int)');
  const ioctl = lib.func('ioctl', 'int', ['int', 'ulong', 'void *']);
  const recv = lib.func('recv', 'intptr_t', ['int', 'void *', 'size_t', 'int']);
  const send = lib.func('send', 'intptr_t', ['int', 'void *', 'size_t', 'int']);
  const sendmsg = lib.func('sendmsg', 'intptr_t', ['int', 'void *', 'int']);
  const recvmsg = lib.func('recvmsg', 'intptr_t', ['int', 'void *', 'int']);
  const nameToIndex = lib.func('uint if_nametoindex(const char *)');
  const indexToName = lib.func('if_indextoname', 'intptr_t', ['uint', 'void *']);
  const lseek = lib.func('lseek', 'int64_t', ['int', 'int64_t', 'int']);

  const shared = sharedMemory(koffi, lib);

  const result = (value: number): number => (value === -1 ? -koffi.errno() : value);

  return {
    ioUringEnter: (fd, toSubmit, minComplete, flags, arg, argSize) =>
      result(enter(NR_IO_URING_ENTER, fd, toSubmit, minComplete, flags, arg, argSize)),
    ioUringEnterArg: (fd, toSubmit, minComplete, flags, arg) =>
      result(enterArg(NR_IO_URING_ENTER, fd, toSubmit, minComplete, flags, arg, arg.byteLength)),
    ioUringRegister: (fd, opcode, arg, count) =>
      result(register(NR_IO_URING_REGISTER, fd, opcode, arg, count)),
    syscall: (number, a, b, c, d, e, f) => result(syscall(number, a, b, c, d, e, f)),
    poll: (address, count) => result(poll(address, count, 0)),
    clockGettime,
    copy: memcpy,
    syscallInPool: syscallOfAddresses.async,
    poolResult: result,
    copyString: (to, from, size) => memccpy(to, from, 0, size) !== 0,
    // From mmap to the record, and from the record to munmap, is a straight line: see descriptor-calls.ts.
    mmapRing(fd, length, offset, { words, at }) {
      words[at + 1] = length;
      const address = mmap(0, length, PROT_READ_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);
      words[at] = address;
      // A forked child (child_process) must not share the rings with us.
      if (address > 0) madvise(address, length, MADV_DONTFORK);
      return result(address);
    },
    mmapAnonymous(length, { words, at }) {
      words[at + 1] = length;
      const address = mmap(0, length, PROT_READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      words[at] = address;
      return result(address);
    },
    munmap(address, length, { words, at }) {
      words[at] = 0;
      return result(munmap(address, length));
    },
    madviseDontneed: (address, length) => result(madvise(address, length, MADV_DONTNEED)),
    keepFreedMemory: bytes => free(malloc(bytes)),
    view: (address, length) => koffi.view(BigInt(address), length),
    // koffi does not accept a SharedArrayBuffer, but does accept a view of one.
    addressOf: buffer => Number(koffi.address(new Uint8Array(buffer))),
    bind: (fd, address) => result(bindTo(fd, address, address.byteLength)),
    listen: (fd, backlog) => result(listen(fd, backlog)),
    connect: (fd, address) => result(connect(fd, address, address.byteLength)),
    getsockname: (fd, address, length) => result(getsockname(fd, address, length)),
    getpeername: (fd, address, length) => result(getpeername(fd, address, length)),
    setsockopt: (fd, level, name, value) => result(setsockopt(fd, level, name, value, value.byteLength)),
    getsockopt: (fd, level, name, value, length) => result(getsockopt(fd, level, name, value, length)),
    isNonBlocking: fd => {
      const flags = fcntl(fd, F_GETFL, 0);
      return flags !== -1 && (flags & O_NONBLOCK) !== 0;
    },
    setNonBlocking: fd => result(fcntl(fd, F_SETFL, O_NONBLOCK)),
    setCloseOnExec: fd => result(fcntl(fd, F_SETFD, FD_CLOEXEC)),
    symlink: (text, directory, name) => result(symlinkat(text, directory, name)),
    flock: fd => result(flock(fd, LOCK_EX | LOCK_NB)),
    replace: (to, fd) => result(dup2(fd, to)),
    shutdown: (fd, how) => result(shutdown(fd, how)),
    unacknowledged(fd) {
      const value = new Int32Array(1);
      const failed = result(ioctl(fd, SIOCOUTQ, value));
      return failed < 0 ? failed : value[0]!;
    },
    recv: (fd, bytes, flags) => result(recv(fd, bytes, bytes.byteLength, flags)),
    send: (fd, bytes, flags) => result(send(fd, bytes, bytes.byteLength, flags)),
    sendmsg: (fd, header, flags) => result(sendmsg(fd, header, flags)),
    recvmsg: (fd, header, flags) => result(recvmsg(fd, header, flags)),
    interfaceIndex: name => nameToIndex(name),
    interfaceName(index) {
      const name = Buffer.alloc(IF_NAMESIZE);
      return indexToName(index, name) === 0 ? null : name.toString('utf8', 0, name.indexOf(0));
    },
    position: fd => result(lseek(fd, 0, SEEK_CUR)),
    setPosition: (fd, position) => result(lseek(fd, position, SEEK_SET)),
    watchReadable: watcher(koffi, lib),
    sharedMemory: shared,
    isFirst: () => shared === null || Atomics.exchange(new Int32Array(shared, FIRST_AT, 1), 0, 1) === 0,
    threadId: () => syscall(NR_GETTID, 0, 0, 0, 0, 0, 0),
    // If the call is denied, the thread may exist.
    threadExists: id => result(syscall(NR_TGKILL, process.pid, id, 0, 0, 0, 0)) !== ESRCH,
    canStartThread() {
      const thread = new BigUint64Array(1);
      const create = lib.func('pthread_create', 'int', ['void *', 'intptr_t', 'intptr_t', 'intptr_t']);
      if (create(thread, 0, lib.symbol('getpid'), 0) !== 0) return false;
      lib.func('pthread_join', 'int', ['intptr_t', 'intptr_t'])(thread[0], 0);
      return true;
    },
    ...descriptorCalls(koffi, lib),
    ...transferCalls(koffi, lib),
  };
}
