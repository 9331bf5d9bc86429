/** The files of the scenarios, created on first use and kept to the end of the run. */
import { mkdtempSync, statfsSync } from 'node:fs';
import { makeFiles, removeFiles } from '../peers/fs/fixture.js';

const SHM = '/dev/shm';
const SHM_FREE = 2 ** 30;

let folder: string | undefined;
let folderInMemory: string | undefined;

function removedAtExit(made: string): string {
  process.once('exit', () => removeFiles(made));
  return made;
}

export function files(): string {
  folder ??= removedAtExit(makeFiles());
  return folder;
}

/**
 * A folder for files that are created and removed repeatedly. ext4 does not reuse an inode for some minutes after its
 * deletion, and each creation scans past all of them: after a few rounds that was nine tenths of the measured time.
 */
export function inMemory(): string {
  folderInMemory ??= hasRoom() ? removedAtExit(mkdtempSync(`${SHM}/uasync-bench-`)) : files();
  return folderInMemory;
}

function hasRoom(): boolean {
  try {
    const { bavail, bsize } = statfsSync(SHM);
    return bavail * bsize >= SHM_FREE;
  } catch {
    return false;
  }
}
