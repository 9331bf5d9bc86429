/**
 * The one file that knows koffi. Everything that crosses from JavaScript into C goes through here:
 * the three io_uring system calls, memory mapping, the socket calls that have no opcode (or had none
 * before), and the wake-up from libuv. Each call returns its result, or a negative errno.
 *
 * koffi is loaded on first use, so that importing this package is harmless where it cannot run.
 */
import { createRequire } from 'node:module';
import { UasyncError } from './errors.js';

type Koffi = typeof import('koffi');

// The same numbers on every architecture: they came after the kernel unified its tables.
const NR_IO_URING_SETUP = 425;
const NR_IO_URING_ENTER = 426;
const NR_IO_URING_REGISTER = 427;

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_ANONYMOUS = 0x20;
const MAP_NORESERVE = 0x4000;
const MAP_POPULATE = 0x8000;
const MADV_DONTFORK = 10;

/** A readiness watch on a file descriptor in libuv's loop. */
export interface PollHandle {
  ref(): void;
  unref(): void;
  close(): void;
}

/** The calls, bound to libc. Memory arguments are views; sizes are in bytes. */
export interface Libc {
  ioUringSetup(entries: number, params: Uint8Array): number;
  ioUringEnter(fd: number, toSubmit: number, minComplete: number, flags: number): number;
  /** io_uring_enter(2) with IORING_ENTER_EXT_ARG: `arg` is a struct io_uring_getevents_arg. */
  ioUringEnterArg(fd: number, toSubmit: number, minComplete: number, flags: number, arg: Uint8Array): number;
  ioUringRegister(fd: number, opcode: number, arg: Uint8Array | null, count: number): number;
  /** Maps part of a ring's fd; the address, or a negative errno. */
  mmapRing(fd: number, length: number, offset: number): number;
  /** Maps zeroed private memory that costs nothing until it is touched. */
  mmapAnonymous(length: number): number;
  munmap(address: number, length: number): number;
  /** An ArrayBuffer over memory that C owns; it is the caller's to stop using before it is unmapped. */
  view(address: number, length: number): ArrayBuffer;
  /** Where an ArrayBuffer's first byte is. */
  addressOf(buffer: ArrayBufferLike): number;
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array): number;
  listen(fd: number, backlog: number): number;
  getsockname(fd: number, address: Uint8Array, length: Uint32Array): number;
  getpeername(fd: number, address: Uint8Array, length: Uint32Array): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array): number;
  getsockopt(fd: number, level: number, name: number, value: Uint8Array, length: Uint32Array): number;
  close(fd: number): number;
  /** Calls back, with no microtask checkpoint after it, whenever `fd` is readable. */
  pollReadable(fd: number, callback: () => void): PollHandle;
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
  let koffi: Koffi;
  try {
    koffi = createRequire(import.meta.url)('koffi') as Koffi;
  } catch (cause) {
    throw new UasyncError(
      'ERR_UNSUPPORTED_PLATFORM',
      "koffi, the FFI that reaches the kernel, could not be loaded; if dependencies were installed with '--omit=optional', install them again without it",
      { cause },
    );
  }
  return wrap(koffi);
}

function wrap(koffi: Koffi): Libc {
  const lib = koffi.load(null);
  const setup = lib.func('syscall', 'int', ['long', 'uint', 'void *']);
  // Ints only: koffi converts each argument, and 64-bit ones cost more.
  const enter = lib.func('syscall', 'int', ['int', 'int', 'uint', 'uint', 'uint', 'int', 'int']);
  const enterArg = lib.func('syscall', 'int', ['long', 'int', 'uint', 'uint', 'uint', 'void *', 'size_t']);
  const register = lib.func('syscall', 'int', ['long', 'int', 'uint', 'void *', 'uint']);
  const mmap = lib.func('mmap', 'intptr_t', ['intptr_t', 'size_t', 'int', 'int', 'int', 'int64_t']);
  const munmap = lib.func('munmap', 'int', ['intptr_t', 'size_t']);
  const madvise = lib.func('madvise', 'int', ['intptr_t', 'size_t', 'int']);
  const socket = lib.func('int socket(int, int, int)');
  const bindTo = lib.func('bind', 'int', ['int', 'void *', 'uint']);
  const listen = lib.func('int listen(int, int)');
  const getsockname = lib.func('getsockname', 'int', ['int', 'void *', 'void *']);
  const getpeername = lib.func('getpeername', 'int', ['int', 'void *', 'void *']);
  const setsockopt = lib.func('setsockopt', 'int', ['int', 'int', 'int', 'void *', 'uint']);
  const getsockopt = lib.func('getsockopt', 'int', ['int', 'int', 'int', 'void *', 'void *']);
  const close = lib.func('int close(int)');

  const result = (value: number): number => (value === -1 ? -koffi.errno() : value);

  return {
    ioUringSetup: (entries, params) => result(setup(NR_IO_URING_SETUP, entries, params)),
    ioUringEnter: (fd, toSubmit, minComplete, flags) =>
      result(enter(NR_IO_URING_ENTER, fd, toSubmit, minComplete, flags, 0, 0)),
    ioUringEnterArg: (fd, toSubmit, minComplete, flags, arg) =>
      result(enterArg(NR_IO_URING_ENTER, fd, toSubmit, minComplete, flags, arg, arg.byteLength)),
    ioUringRegister: (fd, opcode, arg, count) =>
      result(register(NR_IO_URING_REGISTER, fd, opcode, arg, count)),
    mmapRing(fd, length, offset) {
      const address = result(mmap(0, length, PROT_READ_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset));
      // A forked child (child_process) must not share the rings with us.
      if (address > 0) madvise(address, length, MADV_DONTFORK);
      return address;
    },
    mmapAnonymous: length =>
      result(mmap(0, length, PROT_READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)),
    munmap: (address, length) => result(munmap(address, length)),
    view: (address, length) => koffi.view(BigInt(address), length),
    addressOf: buffer => Number(koffi.address(buffer)),
    socket: (domain, type, protocol) => result(socket(domain, type, protocol)),
    bind: (fd, address) => result(bindTo(fd, address, address.byteLength)),
    listen: (fd, backlog) => result(listen(fd, backlog)),
    getsockname: (fd, address, length) => result(getsockname(fd, address, length)),
    getpeername: (fd, address, length) => result(getpeername(fd, address, length)),
    setsockopt: (fd, level, name, value) => result(setsockopt(fd, level, name, value, value.byteLength)),
    getsockopt: (fd, level, name, value, length) => result(getsockopt(fd, level, name, value, length)),
    close: fd => result(close(fd)),
    pollReadable: (fd, callback) => new Watch(koffi.node.poll(fd, { readable: true }, callback)),
  };
}

/**
 * koffi crashes when a closed handle is used again and collects an unreferenced one silently, so the
 * handle is kept here and forgotten on close.
 */
class Watch implements PollHandle {
  #handle: InstanceType<Koffi['node']['PollHandle']> | null;

  constructor(handle: InstanceType<Koffi['node']['PollHandle']>) {
    this.#handle = handle;
  }

  ref(): void {
    this.#handle?.ref();
  }

  unref(): void {
    this.#handle?.unref();
  }

  close(): void {
    this.#handle?.close();
    this.#handle = null;
  }
}
