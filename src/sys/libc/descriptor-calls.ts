/**
 * The calls that open and close descriptors.
 *
 * A worker may be terminated whenever it calls a JavaScript function or starts a loop iteration, and then it runs no
 * more JavaScript. Hooks of its environment close the descriptors that it has open. A descriptor must never be open
 * without a hook, and must not have one after it was closed, when another thread may have its number. Therefore each of
 * these functions runs straight from the system call to the hook and calls native functions only: not even methods of a
 * Set.
 */

import { EINTR, EIO } from '../abi/errno.js';
import { F_DUPFD_CLOEXEC } from '../abi/fcntl.js';
import { NR_IO_URING_ENTER, NR_IO_URING_SETUP } from '../abi/syscall-numbers.js';
import { isMainThread } from '../main-thread.js';
import type { Libc } from './interface.js';

type Koffi = typeof import('koffi');
type Lib = ReturnType<Koffi['load']>;

// The same numbers on every architecture.
const EFD_CLOEXEC = 0o2000000;
const EFD_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const O_CLOEXEC = 0o2000000;
const O_NONBLOCK = 0o4000;
const STDIO_MAX = 2;

type Calls =
  | 'ioUringSetup'
  | 'enterOpening'
  | 'enterClosing'
  | 'socket'
  | 'accept'
  | 'eventfd'
  | 'pipe'
  | 'openFile'
  | 'duplicate'
  | 'close'
  | 'closeInPool'
  | 'closeAtExit'
  | 'keepAtExit';

export function descriptorCalls(koffi: Koffi, lib: Lib): Pick<Libc, Calls> {
  const setup = lib.func('syscall', 'int', ['long', 'uint', 'void *']);
  const enter = lib.func('syscall', 'int', ['int', 'int', 'uint', 'uint', 'uint', 'int', 'int']);
  const socket = lib.func('int socket(int, int, int)');
  const accept4 = lib.func('accept4', 'int', ['int', 'intptr_t', 'intptr_t', 'int']);
  const eventfd = lib.func('int eventfd(uint, int)');
  const pipe2 = lib.func('int pipe2(void *, int)');
  const openFile = lib.func('syscall', 'int', ['int', 'int', 'intptr_t', 'intptr_t', 'int']);
  const fcntl = lib.func('int fcntl(int, int, int)');
  const close = lib.func('int close(int)');
  const hook = ['intptr_t', 'intptr_t', 'intptr_t'];
  const add = lib.func('napi_add_env_cleanup_hook', 'int', hook);
  const remove = lib.func('napi_remove_env_cleanup_hook', 'int', hook);
  const { errno } = koffi;
  const { env } = koffi.node;
  // void hook(void *arg): close(2) takes its one argument from the same register.
  const closeHook = lib.symbol('close');
  // close(2) uses the low 32 bits only. The high bits distinguish our hooks from those of another copy of this package
  // in the same thread.
  const copy = Math.floor(Math.random() * 2 ** 20) * 2 ** 32;
  // Standard input, output and error belong to the process. The main thread's descriptors end with the process.
  const first = isMainThread ? Number.POSITIVE_INFINITY : STDIO_MAX + 1;

  // Removes a hook before adding it: Node aborts when there are two equal ones, and the hook of a descriptor that
  // outside code has closed still exists.
  return {
    ioUringSetup(entries, params, opens) {
      const fd = setup(NR_IO_URING_SETUP, entries, params);
      if (fd === -1) return -errno();
      if (opens && fd >= first) {
        remove(env, closeHook, copy + fd);
        add(env, closeHook, copy + fd);
      }
      return fd;
    },
    enterOpening(ring, flags, words, at, mark) {
      words[at + 1] = ~mark;
      const taken = enter(NR_IO_URING_ENTER, ring, 1, 0, flags, 0, 0);
      const fd = words[at + 2]!;
      if (words[at + 1] !== mark) return taken === -1 ? -errno() : EIO;
      if (fd >= first) {
        remove(env, closeHook, copy + fd);
        add(env, closeHook, copy + fd);
      }
      return fd;
    },
    enterClosing(ring, toSubmit, flags, fd) {
      if (fd >= first) remove(env, closeHook, copy + fd);
      const taken = enter(NR_IO_URING_ENTER, ring, toSubmit, 0, flags, 0, 0);
      return taken === -1 ? -errno() : taken;
    },
    socket(domain, type, protocol) {
      const fd = socket(domain, type, protocol);
      if (fd === -1) return -errno();
      if (fd >= first) {
        remove(env, closeHook, copy + fd);
        add(env, closeHook, copy + fd);
      }
      return fd;
    },
    accept(listener) {
      const fd = accept4(listener, 0, 0, SOCK_CLOEXEC);
      if (fd === -1) return -errno();
      if (fd >= first) {
        remove(env, closeHook, copy + fd);
        add(env, closeHook, copy + fd);
      }
      return fd;
    },
    eventfd() {
      const fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
      if (fd === -1) return -errno();
      if (fd >= first) {
        remove(env, closeHook, copy + fd);
        add(env, closeHook, copy + fd);
      }
      return fd;
    },
    pipe(ends) {
      if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) === -1) return -errno();
      if (ends[0]! >= first) {
        remove(env, closeHook, copy + ends[0]!);
        add(env, closeHook, copy + ends[0]!);
      }
      if (ends[1]! >= first) {
        remove(env, closeHook, copy + ends[1]!);
        add(env, closeHook, copy + ends[1]!);
      }
      return 0;
    },
    openFile(number, directory, path, flags, last) {
      const fd = openFile(number, directory, path, flags, last);
      if (fd === -1) return -errno();
      if (fd >= first) {
        remove(env, closeHook, copy + fd);
        add(env, closeHook, copy + fd);
      }
      return fd;
    },
    duplicate(original) {
      const fd = fcntl(original, F_DUPFD_CLOEXEC, 0);
      if (fd === -1) return -errno();
      if (fd >= first) {
        remove(env, closeHook, copy + fd);
        add(env, closeHook, copy + fd);
      }
      return fd;
    },
    close(fd) {
      if (fd >= first) remove(env, closeHook, copy + fd);
      if (close(fd) !== -1) return 0;
      const failed = -errno();
      // The descriptor is closed nevertheless. close(2)
      return failed === EINTR ? 0 : failed;
    },
    closeInPool(fd, done) {
      if (fd >= first) remove(env, closeHook, copy + fd);
      close.async(fd, done);
    },
    closeAtExit(fd) {
      if (fd < first) return;
      remove(env, closeHook, copy + fd);
      add(env, closeHook, copy + fd);
    },
    keepAtExit(fd) {
      if (fd >= first) remove(env, closeHook, copy + fd);
    },
  };
}
