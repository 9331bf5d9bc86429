/**
 * The calls that transfer most bytes and events, each bound separately: koffi converts every argument, and syscall(2)
 * would have seven.
 */
import type { Libc } from './interface.js';

type Koffi = typeof import('koffi');
type Lib = ReturnType<Koffi['load']>;

export function transferCalls(koffi: Koffi, lib: Lib): Pick<Libc, 'receiveAt' | 'sendAt' | 'epollWait'> {
  const recv = lib.func('recv', 'int', ['int', 'intptr_t', 'size_t', 'int']);
  const send = lib.func('send', 'int', ['int', 'intptr_t', 'size_t', 'int']);
  const wait = lib.func('epoll_wait', 'int', ['int', 'intptr_t', 'int', 'int']);
  const { errno } = koffi;
  return {
    receiveAt(fd, address, length, flags) {
      const res = recv(fd, address, length, flags);
      return res === -1 ? -errno() : res;
    },
    sendAt(fd, address, length, flags) {
      const res = send(fd, address, length, flags);
      return res === -1 ? -errno() : res;
    },
    epollWait(fd, events, count, timeout) {
      const res = wait(fd, events, count, timeout);
      return res === -1 ? -errno() : res;
    },
  };
}
