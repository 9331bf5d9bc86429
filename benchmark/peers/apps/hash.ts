/** Hashes the files of a tree, some at a time. An operation is a file. `node hash.js uasync|node FOLDER` */
import { createHash } from 'node:crypto';
import promises from 'node:fs/promises';
import { join } from 'node:path';
import { serveRounds } from '../worker.js';

const AT_A_TIME = 16;

const [whose = 'uasync', folder = ''] = process.argv.slice(2);
const fs = whose === 'node' ? promises : await import('uasync/fs');

/** The hash of a tree, which depends on all names and contents. @param hashed called for each file. */
async function hashTree(hashed: () => void): Promise<string> {
  const entries = await fs.readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name));
  const hashes: string[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < paths.length) {
      const at = next++;
      const path = paths[at]!;
      hashes[at] = createHash('sha256')
        .update(await fs.readFile(path))
        .digest('hex');
      hashed();
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  return createHash('sha256').update(hashes.sort().join()).digest('hex');
}

let first: string | undefined;
await serveRounds(async round => {
  do {
    const hash = await hashTree(() => round.ops++);
    first ??= hash;
    if (hash !== first) throw new Error('the tree has another hash than before');
  } while (!round.over);
});
