/**
 * Supports sockets and servers on the loop as standard streams of child processes, which get their descriptors, and sent
 * to them by native handles.
 */
import { nativeOf } from '../native-twin.js';
import { bindings, nodeModule } from '../natives.js';
import { share } from '../stream/socket-handle.js';
import { StreamHandle } from '../stream/stream-handle.js';

type Method = (this: unknown, ...args: unknown[]) => unknown;

/** The used private properties of a socket. */
interface SocketOnLoop {
  readonly _handle: StreamHandle;
  readonly _readableState: { reading: boolean };
  readableFlowing: boolean | null;
  pause(): void;
}

let bridged = false;

/** Installs this. */
export function bridgeChildProcesses(): void {
  if (bridged) return;
  bridged = true;
  const { ChildProcess } = nodeModule<typeof import('node:child_process')>('child_process');
  const children = ChildProcess.prototype as unknown as { spawn: Method };
  const { spawn } = children;
  children.spawn = function (options, ...rest) {
    const { stdio } = options as { stdio?: unknown };
    if (!Array.isArray(stdio)) return spawn.call(this, options, ...rest);
    const lent = stdio.filter(isOnLoop);
    const fds = stdio.map(stream => (isOnLoop(stream) ? stream._handle.lend() : stream));
    for (const stream of fds) {
      const fd = descriptorOf(stream);
      if (fd !== undefined) share(fd);
    }
    const result = spawn.call(this, { ...(options as object), stdio: fds }, ...rest);
    // As Node does: the child reads, until the program resumes the socket.
    for (const socket of lent) {
      socket._handle.reading = false;
      socket.pause();
      socket.readableFlowing = false;
      socket._readableState.reading = false;
    }
    return result;
  };
  const channels = bindings().Pipe.prototype as { writeUtf8String: Method };
  const { writeUtf8String } = channels;
  channels.writeUtf8String = function (request, text, handle, ...rest) {
    if (handle === undefined) return writeUtf8String.call(this, request, text);
    return writeUtf8String.call(this, request, text, nativeOf(handle), ...rest);
  };
}

/** A descriptor, or that of a handle, which is how a program passes a server. */
function descriptorOf(stream: unknown): number | undefined {
  const fd = typeof stream === 'number' ? stream : (stream as { fd?: unknown } | null | undefined)?.fd;
  return typeof fd === 'number' ? fd : undefined;
}

function isOnLoop(stream: unknown): stream is SocketOnLoop {
  return (stream as SocketOnLoop | null | undefined)?._handle instanceof StreamHandle;
}
