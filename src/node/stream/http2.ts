/** `http2.connect` keeps native sockets: its native session reads them without JavaScript. */

const CORE = 'node:internal/http2/core';
const LOADED = `NativeModule ${CORE.slice('node:'.length)}`;

/**
 * Stack frames between `connect` of a socket and its callers: this function, the replaced method, net.connect,
 * http2.connect.
 */
const FRAMES = 8;

let loaded = false;

/** Whether `http2.connect` creates the socket that connects now. The stack shows it, once http2 is loaded. */
export function isForHttp2(): boolean {
  loaded ||= (process as unknown as { moduleLoadList: string[] }).moduleLoadList.includes(LOADED);
  return loaded && callers().includes(CORE);
}

function callers(): string {
  const { prepareStackTrace, stackTraceLimit } = Error;
  const holder: { stack?: string } = {};
  try {
    Error.stackTraceLimit = FRAMES;
    delete (Error as { prepareStackTrace?: unknown }).prepareStackTrace;
    Error.captureStackTrace(holder);
    return String(holder.stack);
  } catch {
    // Intrinsics may be frozen.
    return '';
  } finally {
    restore(prepareStackTrace, stackTraceLimit);
  }
}

function restore(prepare: typeof Error.prepareStackTrace, limit: number): void {
  try {
    Error.stackTraceLimit = limit;
    if (prepare !== undefined) Error.prepareStackTrace = prepare;
  } catch {
    // They were not changed.
  }
}
