/**
 * The private parts of Node that its own `net` uses, and that a handle in JavaScript must know: the state that streams
 * share with their handles, and the classes of native handles. All versions have them in `process.binding`.
 */

/** A request of Node's, with the callback for its completion. */
export interface Request {
  oncomplete?: ((...args: unknown[]) => void) | undefined;
  handle?: unknown;
}

/** Node's `stream_wrap`. */
interface StreamWrap {
  streamBaseState: Int32Array;
  kReadBytesOrError: number;
  kArrayBufferOffset: number;
  kBytesWritten: number;
  kLastWriteWasAsync: number;
  /** Node 26. */
  kLastWriteErr?: number;
}

/** The used part of a native handle. */
export interface NativeHandle {
  readonly fd: number;
  open(fd: number): number;
  close(callback?: () => void): void;
  ref(): void;
  unref(): void;
  getAsyncId(): number;
  getProviderType(): number;
}

/** One that listens. */
export interface NativeListener extends NativeHandle {
  onconnection: (status: number, handle?: NativeHandle) => void;
  listen(backlog: number): number;
}

/** A class of native handles. */
export type NativeClass = new (kind: number) => NativeHandle;

/** A JSStream: a native stream whose bytes come from JavaScript. */
export interface NativeStream extends NativeHandle {
  readBuffer(bytes: Uint8Array): void;
  emitEOF(): void;
  finishWrite(request: unknown, status: number): void;
  finishShutdown(request: unknown, status: number): void;
}

/** The native part of a `FileHandle`, which closes its descriptor when it is collected. */
export interface NativeFile {
  /** Releases the descriptor, which stays open. */
  releaseFD(): void;
  close(): Promise<void>;
  /** Node 24. */
  closeSync(): void;
  /** Ends its stream, which closes it. */
  shutdown(request: object): number;
}

/** The native parts that this package adapts to. */
export interface Natives {
  readonly stream: StreamWrap;
  readonly TCP: NativeClass & { readonly prototype: object };
  readonly tcpConstants: Record<string, number>;
  readonly Pipe: NativeClass & { readonly prototype: object };
  readonly pipeConstants: Record<string, number>;
  readonly JSStream: new () => NativeStream;
  readonly UDP: (new () => NativeHandle) & { readonly prototype: object };
}

type Binding = (name: string) => Record<string, unknown>;

let natives: Natives | undefined;

/** @throws the error of `process.binding` if it does not exist. */
export function bindings(): Natives {
  natives ??= load();
  return natives;
}

/** The class of native file handles, whose constructor takes a descriptor. */
export function nativeFiles(): new (fd: number) => NativeFile {
  return nativePart('fs').FileHandle as new (
    fd: number,
  ) => NativeFile;
}

function nativePart(name: string): Record<string, unknown> {
  const { binding } = process as unknown as { binding: Binding };
  return quietly(() => binding.call(process, name));
}

function load(): Natives {
  const tcp = nativePart('tcp_wrap');
  const pipe = nativePart('pipe_wrap');
  return {
    stream: nativePart('stream_wrap') as unknown as StreamWrap,
    TCP: tcp.TCP as Natives['TCP'],
    tcpConstants: tcp.constants as Record<string, number>,
    Pipe: pipe.Pipe as Natives['Pipe'],
    pipeConstants: pipe.constants as Record<string, number>,
    JSStream: nativePart('js_stream').JSStream as Natives['JSStream'],
    UDP: nativePart('udp_wrap').UDP as Natives['UDP'],
  };
}

/** A module of Node's, loaded on first use, because each takes time at the start. */
export function nodeModule<T = Record<string, never>>(name: string): T {
  return quietly(() => process.getBuiltinModule(name)) as T;
}

/** Private parts are deprecated: with --pending-deprecation Node would warn of a use that is not the program's. */
function quietly<T>(call: () => T): T {
  const flags = process as { noDeprecation?: boolean };
  // With --no-deprecation it cannot be set.
  if (flags.noDeprecation) return call();
  const own = Object.hasOwn(flags, 'noDeprecation');
  const before = flags.noDeprecation;
  flags.noDeprecation = true;
  try {
    return call();
  } finally {
    if (own) flags.noDeprecation = before!;
    else delete flags.noDeprecation;
  }
}

/** The symbol under which Node keeps a private value in an object; undefined if there is none. */
export function symbolOf(object: object, description: string): symbol | undefined {
  return Object.getOwnPropertySymbols(object).find(symbol => symbol.description === description);
}

let owner: symbol | undefined;

/** The symbol under which Node's handles name their streams. */
export function ownerSymbol(): symbol | undefined {
  if (owner === undefined) {
    const { TCP, tcpConstants } = bindings();
    const probe = new TCP(tcpConstants.SOCKET!);
    owner = symbolOf(probe, 'owner_symbol');
    probe.close();
  }
  return owner;
}

/** A write is done: its bytes were copied. */
export function written(length: number): number {
  const { streamBaseState, kBytesWritten, kLastWriteWasAsync } = bindings().stream;
  streamBaseState[kBytesWritten] = length;
  streamBaseState[kLastWriteWasAsync] = 0;
  return 0;
}

/** libuv's code for the end of a stream. */
export const UV_EOF = -4095;
