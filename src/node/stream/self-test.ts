/**
 * Checks the private parts of Node that this package relies on, in the running Node. A version that has changed them
 * keeps its own modules.
 */
import net from 'node:net';
import { isInt32Array } from 'node:util/types';
import { queueMicrotask } from '../../loop/real-timers.js';
import { bindings, type Natives, nodeModule, ownerSymbol, UV_EOF } from '../natives.js';
import { reinitializeKey } from './client-sockets.js';

/** The reason why `net` cannot be put on the loop; null if it can. */
export function faultOfNet(): string | null {
  try {
    return missing() ?? probe();
  } catch (error) {
    return `it fails: ${(error as Error).message}`;
  }
}

function missing(): string | null {
  const isFunction = (value: unknown): boolean => typeof value === 'function';
  const isIndex = (value: unknown): boolean => Number.isInteger(value);
  const of = (object: unknown, key: PropertyKey): unknown => (object as Record<PropertyKey, unknown>)[key];
  if (!isFunction(of(process, '_tickCallback'))) return 'process._tickCallback is missing';
  if (!isFunction(of(process, 'binding'))) return 'process.binding is missing';
  const { stream, TCP, Pipe, JSStream, tcpConstants, pipeConstants } = bindings();
  if (!isInt32Array(stream.streamBaseState)) return 'streamBaseState is missing';
  const { kReadBytesOrError, kArrayBufferOffset, kBytesWritten, kLastWriteWasAsync } = stream;
  if (![kReadBytesOrError, kArrayBufferOffset, kBytesWritten, kLastWriteWasAsync].every(isIndex)) {
    return 'the state of streams has other parts';
  }
  if (![TCP, Pipe, JSStream].every(isFunction)) return 'a class of native handles is missing';
  if (!isIndex(tcpConstants?.SOCKET) || !isIndex(pipeConstants?.SOCKET)) return 'constants are missing';
  if (ownerSymbol() === undefined) return 'handles do not name their owners';
  if (reinitializeKey(net.Socket.prototype) === undefined) return 'kReinitializeHandle is missing';
  const { TLSSocket } = nodeModule<typeof import('node:tls')>('tls');
  const { ChildProcess } = nodeModule<typeof import('node:child_process')>('child_process');
  const methods: [object, string][] = [
    [net.Socket.prototype, 'connect'],
    [net.Server.prototype, '_listen2'],
    [TLSSocket.prototype, '_wrapHandle'],
    [ChildProcess.prototype, 'spawn'],
    [Pipe.prototype, 'writeUtf8String'],
    [JSStream.prototype as object, 'readBuffer'],
    [JSStream.prototype as object, 'finishWrite'],
  ];
  for (const [object, name] of methods) if (!isFunction(of(object, name))) return `${name} is missing`;
  return null;
}

/** Lets a socket write to and read from a handle that only records calls. */
function probe(): string | null {
  const { stream } = bindings();
  const handle = new Notes(stream);
  const socket = new net.Socket({ handle } as unknown as net.SocketConstructorOpts);
  let failed: string | null = null;
  let done = 0;
  let async: object | null = null;
  socket.on('error', error => {
    failed ??= error.message;
  });
  try {
    if (!handle.reading || handle.starts !== 1) return 'sockets do not start to read by readStart';
    socket.write('text', 'latin1', () => done++);
    socket.write(Buffer.from('bytes'));
    if (handle.written.join() !== 'text,bytes') return 'sockets do not write as they did';
    handle.async = true;
    socket.write('later', 'latin1', () => done++);
    async = handle.request;
    if (typeof (async as { oncomplete?: unknown } | null)?.oncomplete !== 'function') {
      return 'asynchronous writes have no oncomplete';
    }
    const before: number = socket.writableLength;
    if (before !== 5) return 'asynchronous writes are taken for done';
    (async as { oncomplete(status: number): void }).oncomplete(0);
    const after: number = socket.writableLength;
    if (after !== 0) return 'asynchronous writes are not completed by oncomplete';
    handle.give(Buffer.from('read'));
    if (String(socket.read()) !== 'read') return 'sockets do not read by onread';
    handle.giveEnd();
    return failed;
  } finally {
    socket.destroy();
  }
}

/** A handle with no socket behind it. */
class Notes {
  reading = false;
  starts = 0;
  async = false;
  readonly written: string[] = [];
  request: object | null = null;
  onread: (buffer?: ArrayBuffer) => void = () => {};
  readonly bytesRead = 0;
  readonly bytesWritten = 0;
  readonly #stream: Natives['stream'];

  constructor(stream: Natives['stream']) {
    this.#stream = stream;
  }

  readStart(): number {
    this.starts++;
    return 0;
  }

  readStop(): number {
    return 0;
  }

  getAsyncId(): number {
    return 1;
  }

  close(callback: () => void): void {
    queueMicrotask(callback);
  }

  shutdown(): number {
    return 0;
  }

  writeBuffer(request: object | null, bytes: Uint8Array): unknown {
    return this.#write(request, String(bytes));
  }

  writeLatin1String(request: object | null, text: string): unknown {
    return this.#write(request, text);
  }

  #write(request: object | null, text: string): unknown {
    this.written.push(text);
    const { streamBaseState, kBytesWritten, kLastWriteWasAsync, kLastWriteErr } = this.#stream;
    streamBaseState[kBytesWritten] = text.length;
    streamBaseState[kLastWriteWasAsync] = this.async ? 1 : 0;
    if (!this.async) return 0;
    this.request = request ?? { writeStatus: null };
    if (kLastWriteErr !== undefined) streamBaseState[kLastWriteErr] = 0;
    return request === null ? this.request : 0;
  }

  give(bytes: Uint8Array): void {
    const { streamBaseState, kReadBytesOrError, kArrayBufferOffset } = this.#stream;
    streamBaseState[kReadBytesOrError] = bytes.length;
    streamBaseState[kArrayBufferOffset] = bytes.byteOffset;
    this.onread(bytes.buffer as ArrayBuffer);
  }

  giveEnd(): void {
    const { streamBaseState, kReadBytesOrError } = this.#stream;
    streamBaseState[kReadBytesOrError] = UV_EOF;
    this.onread();
  }
}
