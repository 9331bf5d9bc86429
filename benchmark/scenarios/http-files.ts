/** The files that HTTP servers send, created on first use and removed at the end of the run. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BLOCK, LARGE, SMALL } from '../peers/http/bodies.js';

let folder: string | undefined;

/** A folder with `small` and `large`. */
export function httpFiles(): string {
  if (folder === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'uasync-bench-'));
    process.once('exit', () => rmSync(made, { recursive: true }));
    const large = Buffer.alloc(LARGE, BLOCK);
    writeFileSync(join(made, 'large'), large);
    writeFileSync(join(made, 'small'), large.subarray(0, SMALL));
    folder = made;
  }
  return folder;
}
