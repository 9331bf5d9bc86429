/**
 * Copies a folder with all its contents, like cp -r: `node dist/examples/copy-tree.js FROM TO`. Whole files go through
 * memory, many at once; symbolic links stay links.
 */
import type { Dirent } from 'node:fs';
import { join, relative } from 'node:path';
import { mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from 'uasync/fs';

const AT_ONCE = 64;

async function copy(entry: Dirent, from: string, to: string): Promise<void> {
  if (entry.isSymbolicLink()) {
    await symlink(await readlink(from), to);
  } else if (entry.isFile()) {
    const [content, { mode }] = await Promise.all([readFile(from), stat(from)]);
    await writeFile(to, content, { mode, flag: 'wx' });
  } else {
    throw new Error(`${from} is neither a file, a folder nor a link`);
  }
}

/** Resolves to the number of files and links copied. */
async function copyTree(from: string, to: string): Promise<number> {
  const entries = await readdir(from, { recursive: true, withFileTypes: true });
  const below = (entry: Dirent): string => relative(from, join(entry.parentPath, entry.name));
  await mkdir(to);
  for (const entry of entries) {
    if (entry.isDirectory()) await mkdir(join(to, below(entry)), { recursive: true });
  }
  const leaves = entries.filter(entry => !entry.isDirectory());
  const queue = leaves.values();
  const worker = async (): Promise<void> => {
    for (const entry of queue) await copy(entry, join(from, below(entry)), join(to, below(entry)));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return leaves.length;
}

const [from, to] = process.argv.slice(2);
try {
  if (from === undefined || to === undefined) throw new Error('usage: copy-tree FROM TO');
  console.log(`${await copyTree(from, to)} copied`);
} catch (error) {
  console.error(`copy-tree: ${(error as Error).message}`);
  process.exitCode = 1;
}
