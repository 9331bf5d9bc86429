import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A temporary folder for files of scenarios, created and filled on first use, and removed at the end of the run. */
export function lazyFolder(fill: (folder: string) => void): () => string {
  let folder: string | undefined;
  return () => {
    if (folder === undefined) {
      const made = mkdtempSync(join(tmpdir(), 'uasync-bench-'));
      process.once('exit', () => rmSync(made, { recursive: true }));
      fill(made);
      folder = made;
    }
    return folder;
  };
}
