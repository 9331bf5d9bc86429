/**
 * Files that calls hold open for as long as they read or write them. When the process has no free descriptor, a further
 * call waits until one of these has closed its own, so that thousands can be started at once.
 */
import { throwIfAborted } from '../../loop/waiting/abort.js';
import { Waiter } from '../../loop/waiting/waiter.js';
import type { FileHandle } from '../handle/file-handle.js';

/** How many files are held, and how many are being opened. */
let held = 0;
let opening = 0;
/** How many have been closed. */
let releases = 0;
/** They are told whether to try again. */
const waiting = new Set<Waiter<boolean>>();

/**
 * Opens a file by `open`, and holds it. Without a free descriptor it waits, unless no file is held: then others have
 * them all.
 * @throws AbortError if the signal is aborted while it waits.
 */
export async function openHeld(
  open: () => Promise<FileHandle>,
  signal: AbortSignal | undefined,
): Promise<FileHandle> {
  for (;;) {
    const before = releases;
    let failure: unknown;
    opening++;
    try {
      return hold(await open());
    } catch (error) {
      failure = error;
    } finally {
      opening--;
    }
    const lacks = lacksDescriptor(failure);
    let again = lacks && releases !== before;
    if (held + opening === 0 && !again) tell(waiting.size, !lacks);
    else if (lacks && !again) again = await descriptor(signal);
    if (!again) throw failure;
    throwIfAborted(signal);
  }
}

/** Waits until a file is closed; false if it is no use to try again. @throws AbortError */
async function descriptor(signal: AbortSignal | undefined): Promise<boolean> {
  throwIfAborted(signal);
  const waiter = new Waiter<boolean>('open', () => waiting.delete(waiter));
  waiting.add(waiter);
  return waiter.wait({ signal });
}

/** Whether a call has failed because the process has no free descriptor. */
export function lacksDescriptor(error: unknown): boolean {
  return (error as { code?: string }).code === 'EMFILE';
}

/** Counts a call that opens, uses and closes a registered file: without io_uring that takes a descriptor as well. */
export async function holding<T>(call: Promise<T>): Promise<T> {
  held++;
  try {
    return await call;
  } finally {
    letGo();
  }
}

/** Holds an open file. */
export function hold(handle: FileHandle): FileHandle {
  held++;
  return handle;
}

/** Holds a file no longer: it was closed, or may stay open for as long as its user likes. */
export function letGo(): void {
  held--;
  releases++;
  tell(held === 0 ? waiting.size : 1, true);
}

function tell(many: number, again: boolean): void {
  let count = many;
  for (const waiter of waiting) {
    if (count-- === 0) return;
    waiting.delete(waiter);
    waiter.settled();
    waiter.resolve(again);
  }
}

/** Uses a file that is held, and closes it. */
export async function useHeld<T>(handle: FileHandle, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } finally {
    await handle.close().finally(letGo);
  }
}
