/** Wakes this thread through libuv when a descriptor is readable. */
import { UasyncError } from '../errors/errors.js';

type Koffi = typeof import('koffi');
type Lib = ReturnType<Koffi['load']>;

const UV_POLL = 8;
const UV_READABLE = 1;
const EPOLL_CTL_MOD = 3;
const EPOLLIN = 1;
const EPOLLET = 1 << 31;
/** The offset of `flags` in a uv_handle_t, and the bits we rely on: libuv has not changed them since 1.0. */
const UV_FLAGS_WORD = 22;
const UV_HANDLE_REF = 0x8;
const UV_HANDLE_INTERNAL = 0x10;

/** Wakes libuv's loop while a file descriptor is readable, and can keep the loop alive. */
export interface Watch {
  /** Keeps the process alive, which is the initial state. */
  ref(): void;
  unref(): void;
  /**
   * From now on each new event wakes the thread, without reading `fd` in between. Returns false until libuv has added
   * the descriptor, which takes one iteration of its loop. EPOLLET, epoll_ctl(2)
   */
  edgeTriggered(): boolean;
  /** Ends the watch. The caller then closes the descriptor. */
  close(): void;
}

/**
 * A uv_poll_t of our own, with a C function that does nothing as its callback.
 *
 * `koffi.node.poll` would call JavaScript: 0.5 us per iteration; and if a worker is terminated while its ring is
 * readable, that call aborts the whole process. The handle is marked as libuv marks its own handles, so that Node does
 * not treat a loop that ends without closing it (again `terminate()`) as broken.
 */
export function watcher(koffi: Koffi, lib: Lib): (fd: number) => Watch {
  const loopOut = new BigUint64Array(1);
  lib.func('napi_get_uv_event_loop', 'int', ['intptr_t', 'void *'])(koffi.node.env, loopOut);
  const loop = Number(loopOut[0]);
  const size = lib.func('uv_handle_size', 'size_t', ['int'])(UV_POLL) as number;
  const calloc = lib.func('calloc', 'intptr_t', ['size_t', 'size_t']);
  const init = lib.func('uv_poll_init', 'int', ['intptr_t', 'intptr_t', 'int']);
  const start = lib.func('uv_poll_start', 'int', ['intptr_t', 'int', 'intptr_t']);
  const ref = lib.func('uv_ref', 'void', ['intptr_t']);
  const unref = lib.func('uv_unref', 'void', ['intptr_t']);
  const close = lib.func('uv_close', 'void', ['intptr_t', 'intptr_t']);
  const epollCtl = lib.func('int epoll_ctl(int, int, int, void *)');
  const backend = lib.func('uv_backend_fd', 'int', ['intptr_t'])(loop) as number;
  const nothing = lib.symbol('uv_is_active');
  const free = lib.symbol('free');

  return fd => {
    const handle = calloc(1, size) as number;
    const flags = new Uint32Array(koffi.view(BigInt(handle), size), UV_FLAGS_WORD * 4, 1);
    // From here to the flag no call may fail: a worker that is terminated in between leaves a handle that aborts Node.
    const failed = init(loop, handle, fd);
    if (failed < 0) throw new UasyncError('ERR_WATCH', `libuv cannot watch the ring (${failed})`);
    const known = flags[0] === UV_HANDLE_REF;
    if (known) flags[0] = UV_HANDLE_REF | UV_HANDLE_INTERNAL;
    start(handle, UV_READABLE, nothing);
    let open = true;
    return {
      ref: () => open && ref(handle),
      unref: () => open && unref(handle),
      edgeTriggered() {
        // struct epoll_event, packed on x64 only: events, then the key by which libuv finds the watcher.
        const event = new Int32Array(4);
        event[0] = EPOLLIN | EPOLLET;
        event[process.arch === 'x64' ? 1 : 2] = fd;
        return open && epollCtl(backend, EPOLL_CTL_MOD, fd, event) === 0;
      },
      close() {
        if (!open) return;
        open = false;
        close(handle, free);
      },
    };
  };
}
