/**
 * Files that are open for answers which are not sent yet. Mostly they are sent at once; but a middleware may make
 * another answer of them, and drop the first.
 */
import type { FileHandle } from '../../fs/handle/file-handle.js';
import { setTimeout } from '../../loop/real-timers.js';

/** How many are kept open, and for how long. After that an answer opens its file again. */
const UNSENT_MAX = 64;
const UNSENT_MS = 1000;

const unsent = new Set<UnsentFile>();
let timing = false;

function closeAll(): void {
  timing = false;
  for (const file of unsent) file.close();
}

/** An open file that an answer may take. */
export class UnsentFile {
  readonly #file: FileHandle;

  constructor(file: FileHandle) {
    this.#file = file;
    unsent.add(this);
    if (unsent.size > UNSENT_MAX) (unsent.values().next().value as UnsentFile).close();
    if (timing) return;
    timing = true;
    setTimeout(closeAll, UNSENT_MS).unref();
  }

  /** The file, which belongs to the caller from now on; null if it was taken or closed. */
  take(): FileHandle | null {
    return unsent.delete(this) ? this.#file : null;
  }

  close(): void {
    this.take()
      ?.close()
      .catch(() => {});
  }
}
