/** Supports sockets on the loop as standard streams of child processes, and sent to them: they get native handles. */
import { nativeOf } from './native-twin.js';
import { bindings, nodeModule } from './natives.js';

type Method = (this: unknown, ...args: unknown[]) => unknown;

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
    return spawn.call(this, { ...(options as object), stdio: stdio.map(nativeStream) }, ...rest);
  };
  const channels = bindings().Pipe.prototype as { writeUtf8String: Method };
  const { writeUtf8String } = channels;
  channels.writeUtf8String = function (request, text, handle, ...rest) {
    if (handle === undefined) return writeUtf8String.call(this, request, text);
    return writeUtf8String.call(this, request, text, nativeOf(handle), ...rest);
  };
}

/** The handle for a standard stream: a socket's handle, or that of a stream which has one. */
function nativeStream(stream: unknown): unknown {
  if (typeof stream !== 'object' || stream === null) return stream;
  const { _handle } = stream as { _handle?: unknown };
  const native = nativeOf(_handle ?? stream);
  return native === (_handle ?? stream) ? stream : native;
}
