/** The files of the fs scenarios. files.c has the same numbers. */
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const SMALL = 4096;
export const FILES = 4000;
export const LARGE = 256 << 20;
export const CHUNK = 128 << 10;

/** Creates them in a new folder, in UASYNC_BENCH_DIR or the system's temporary folder; returns its path. */
export function makeFiles(): string {
  const parent = process.env.UASYNC_BENCH_DIR ?? tmpdir();
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, 'uasync-bench-'));
  const content = Buffer.alloc(SMALL, 'x');
  for (let i = 0; i < FILES; i++) writeFileSync(join(folder, `small-${i}`), content);
  const block = Buffer.alloc(4 << 20, 1);
  const fd = openSync(join(folder, 'large'), 'w');
  for (let at = 0; at < LARGE; at += block.length) writeSync(fd, block);
  closeSync(fd);
  return folder;
}

export function removeFiles(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
