/**
 * The only file that uses koffi. Everything that crosses from JavaScript into C goes through it: the three io_uring
 * system calls, memory mapping, socket calls that have no opcode (or had none in older kernels), and the wake-up from
 * libuv. Each call returns its result, or a negative errno.
 *
 * koffi is loaded on first use: importing this package is harmless where koffi cannot run.
 */

import { constants } from 'node:fs';
import { ESRCH } from '../abi/errno.js';
import { F_GETFL, F_SETFD, F_SETFL, FD_CLOEXEC } from '../abi/fcntl.js';
import { NR_GETTID, NR_IO_URING_ENTER, NR_IO_URING_REGISTER, NR_TGKILL } from '../abi/syscall-numbers.js';
import { UasyncError } from '../errors/errors.js';
import { descriptorCalls } from './descriptor-calls.js';
import type { Libc } from './interface.js';
import { guardKoffi, sharedMemory } from './koffi-guard.js';
import { type Koffi, loadKoffi } from './load-koffi.js';
import { transferCalls } from './transfer-calls.js';
import { watcher } from './watcher.js';

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
const FIONREAD = 0x541b;
const SEEK_SET = 0;
const SEEK_CUR = 1;
const SEEK_END = 2;
const { O_NONBLOCK } = constants;
const LOCK_EX = 2;
const LOCK_NB = 4;
/** The longest name of a network interface, with the NUL at its end. */
const IF_NAMESIZE = 16;

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
      `uasync needs Linux on x64 or arm64; this is ${process.platform} on ${process.arch}`,
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
  const sigtimedwait = lib.func('sigtimedwait', 'int', ['intptr_t', 'intptr_t', 'intptr_t']);
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

  const bytesQueued = (fd: number, request: number): number => {
    const value = new Int32Array(1);
    const failed = result(ioctl(fd, request, value));
    return failed < 0 ? failed : value[0]!;
  };

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
    takeSignal: (set, limit) => result(sigtimedwait(set, 0, limit)),
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
    unacknowledged: fd => bytesQueued(fd, SIOCOUTQ),
    receivable: fd => bytesQueued(fd, FIONREAD),
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
    moveToEnd: fd => result(lseek(fd, 0, SEEK_END)),
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
