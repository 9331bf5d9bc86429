import type { Server } from 'node:net';
import { disown } from '../../loop/closing/owned-descriptors.js';
import type { ListeningSocket } from '../../net/listen/open.js';
import { getIntOption } from '../../net/socket/options.js';
import { ReceiveBuffers } from '../../net/stream/receive-buffers.js';
import { SO_DOMAIN, SOL_SOCKET } from '../../sys/abi/sockets.js';
import { systemError, withCode } from '../../sys/errors/errors.js';
import { AF_UNIX } from '../../sys/socket/sockaddr.js';
import { availableLoop } from '../available.js';
import { bindings, type NativeHandle } from '../natives.js';
import { netFits } from '../ready.js';
import { PipeHandle } from './pipe-handle.js';
import { type Listen, needsNative } from './servers.js';
import { TcpHandle } from './tcp-handle.js';

interface PrivateServer {
  _handle: object | null;
  _pipeName?: string | undefined;
  _listen2: Listen;
}

/**
 * Makes a server of Node's accept the connections of a listening socket. They are on the loop, unless their bytes go to
 * native code (TLS and HTTP/2), or this version of Node does not fit. The server owns the socket from then on.
 * @throws Error ERR_SERVER_ALREADY_LISTEN.
 */
export function listenOn(server: Server, socket: ListeningSocket, backlog: number): void {
  const inner = server as unknown as PrivateServer;
  if (inner._handle) {
    throw withCode(new Error('The server listens already'), 'ERR_SERVER_ALREADY_LISTEN');
  }
  const { fd, file, path } = socket;
  const isUnix = getIntOption(fd, SOL_SOCKET, SO_DOMAIN) === AF_UNIX;
  const loop = needsNative(server) || !netFits() ? null : availableLoop(ReceiveBuffers);
  let handle: { close(callback?: () => void): void };
  if (loop === null) handle = nativeHandle(fd, isUnix);
  else {
    const made = isUnix ? new PipeHandle(loop, true) : new TcpHandle(loop, true);
    made.adopt(fd);
    handle = made;
  }
  if (file) {
    const { close } = handle;
    handle.close = callback => {
      file.remove();
      close.call(handle, callback);
    };
  }
  inner._handle = handle;
  // The result of `address()` for a Unix socket.
  if (isUnix) inner._pipeName = path;
  inner._listen2.call(server, null, -1, -1, backlog, undefined, undefined);
}

function nativeHandle(fd: number, isUnix: boolean): NativeHandle {
  const { TCP, tcpConstants, Pipe, pipeConstants } = bindings();
  const handle = isUnix ? new Pipe(pipeConstants.SERVER!) : new TCP(tcpConstants.SERVER!);
  const failed = handle.open(fd);
  if (failed < 0) throw systemError(failed, 'listen');
  disown(fd);
  return handle;
}
