/**
 * TLS over a socket on the loop. Node's native TLS takes its bytes only from a native stream: a `JSStream` connects the
 * two.
 */
import { bindings, type NativeStream, nodeModule, ownerSymbol, type Request, UV_EOF } from '../natives.js';
import { socketError } from '../socket-error.js';
import { StreamHandle } from '../stream/stream-handle.js';

/** The used part of a TLS socket. */
interface PrivateTlsSocket {
  _wrapHandle(wrap: unknown, handle: unknown, ...rest: unknown[]): NativeTls;
  readonly destroyed: boolean;
  destroy(error: Error): void;
}

/** Node's interface of native TLS. */
interface NativeTls {
  _parent: unknown;
  _stream?: unknown;
}

/** The callbacks of a JSStream. */
interface Callbacks {
  onread: () => void;
  isClosing(): boolean;
  onreadstart(): number;
  onreadstop(): number;
  onshutdown(request: unknown): number;
  onwrite(request: unknown, chunks: Uint8Array[]): number;
  close(callback?: () => void): void;
}

let bridged = false;

/** Installs the bridge for all TLS sockets. */
export function bridgeTls(): void {
  if (bridged) return;
  bridged = true;
  const { TLSSocket } = nodeModule<typeof import('node:tls')>('tls');
  const sockets = TLSSocket.prototype as unknown as PrivateTlsSocket;
  const { _wrapHandle } = sockets;
  sockets._wrapHandle = function (wrap, handle, ...rest) {
    if (!(handle instanceof StreamHandle)) return _wrapHandle.call(this, wrap, handle, ...rest);
    const stream = streamOver(handle, this);
    const tls = _wrapHandle.call(this, wrap, stream, ...rest);
    // TLS asks it for addresses and options, and closes it.
    tls._parent = handle;
    tls._stream = stream;
    return tls;
  };
}

function streamOver(handle: StreamHandle, socket: PrivateTlsSocket): NativeStream {
  const { JSStream, stream: state } = bindings();
  const stream = new JSStream() as NativeStream & Callbacks;
  const owner = ownerSymbol()!;
  (stream as unknown as Record<symbol, unknown>)[owner] = handle.owner;
  // A destroyed TLS socket does not listen any more, and a native stream without a reader aborts the process.
  stream.onread = nothing;
  let closed = false;
  stream.isClosing = () => closed;
  stream.onreadstart = () => handle.readStart();
  stream.onreadstop = () => handle.readStop();
  stream.close = callback => {
    closed = true;
    handle.close(callback);
  };
  // TLS drops an error of bytes that are its own, such as an alert: the peer has ended properly. It gets the others by
  // `finishWrite`, and here with its next write.
  handle.onSendFailed = nothing;
  const close = closeOnceWritten(handle);
  stream.onwrite = (request, chunks) => {
    const copied = handle.writeThrough(Buffer.concat(chunks), status => {
      // TLS continues with what it has encrypted meanwhile.
      stream.finishWrite(request, status);
      if (copied) close.written();
    });
    if (copied) close.writing();
    return 0;
  };
  stream.onshutdown = request => {
    const done: Request = {
      oncomplete: status => stream.finishShutdown(request, status as number),
    };
    return handle.shutdown(done);
  };
  const { streamBaseState, kReadBytesOrError, kArrayBufferOffset } = state;
  handle.onread = buffer => {
    const length = streamBaseState[kReadBytesOrError]!;
    if (socket.destroyed) return undefined;
    if (length > 0) {
      stream.readBuffer(new Uint8Array(buffer!, streamBaseState[kArrayBufferOffset]!, length));
    } else if (length === UV_EOF) stream.emitEOF();
    else if (length < 0) socket.destroy(socketError(length, 'read'));
    return undefined;
  };
  return stream;
}

/**
 * Closes a handle once it has the bytes that TLS has encrypted for it. TLS passes them piece by piece, each when the
 * previous one is done, and most are done at once. Does not wait for bytes that wait for the peer.
 */
function closeOnceWritten(handle: StreamHandle): { writing(): void; written(): void } {
  const { close } = handle;
  let pending = 0;
  let closing: (() => void) | null = null;
  handle.close = callback => {
    if (closing !== null) return;
    closing = () => close.call(handle, callback);
    if (pending === 0) closing();
  };
  return {
    writing: () => void pending++,
    written: () => {
      if (--pending === 0) closing?.();
    },
  };
}

function nothing(): void {}
