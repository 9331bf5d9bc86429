import { AbortError, throwIfAborted } from '../loop/abort.js';
import type { Connection } from './connection.js';

/** How `pipeTo` goes. */
export interface PipeToOptions {
  /** Aborting it ends the piping with an `AbortError`; what has been read is still written. */
  signal?: AbortSignal | undefined;
  /** Whether the end of the one ends the other's sending side; default true. */
  end?: boolean | undefined;
}

/**
 * Moves all that `from` receives to `to`: the next bytes are read while the last are written, and no more
 * than that. Resolves to the number of bytes once the peer has ended and all is sent.
 */
export async function pipe(from: Connection, to: Connection, options: PipeToOptions = {}): Promise<number> {
  const { signal, end = true } = options;
  // A write that fails must not wait for bytes that may never come.
  const failed = new AbortController();
  const both = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  let writing: Promise<void> = Promise.resolve();
  let moved = 0;
  try {
    for (;;) {
      const chunk = await from.read({ signal: both });
      await unlessAborted(writing, signal);
      if (chunk === null) break;
      moved += chunk.length;
      writing = to.write(chunk);
      writing.catch(() => failed.abort());
    }
  } catch (error) {
    // The failure of a write is why its read was aborted. An abort from outside waits for no write.
    if (!signal?.aborted) await writing;
    throw error;
  }
  await writing;
  if (end) await to.shutdown();
  return moved;
}

/** Waits for a write, and no longer once the signal is aborted. */
async function unlessAborted(writing: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return writing;
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(new AbortError(signal));
  });
  signal.addEventListener('abort', onAbort!);
  try {
    await Promise.race([writing, aborted]);
    throwIfAborted(signal);
  } finally {
    signal.removeEventListener('abort', onAbort!);
  }
}
