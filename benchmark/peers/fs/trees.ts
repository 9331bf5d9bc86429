/**
 * Typical operations on trees, by uasync/fs, by node:fs/promises or by the sync calls of node:fs. One operation is a
 * whole tree. `node trees.js uasync|promises|sync WORK FOLDER`
 */
import nodeFs, { promises } from 'node:fs';
import { join } from 'node:path';
import { type Round, serveRounds } from '../worker.js';

const [way = 'uasync', name = 'readdir', folder = ''] = process.argv.slice(2);

/** 10 directories of 10, each with 15 files: 1,776 entries. */
const WIDTH = 10;
const FILES = 15;
const tree = join(folder, `tree-${process.pid}`);
const copy = `${tree}-copy`;
const recursive = { recursive: true };

function makeDirectory(path: string, depth: number): void {
  nodeFs.mkdirSync(path);
  for (let i = 0; i < FILES; i++)
    nodeFs.writeFileSync(join(path, `file-${i}.js`), Buffer.alloc(400 * (i + 1), 'x'));
  for (let i = 0; depth > 0 && i < WIDTH; i++) makeDirectory(join(path, `directory-${i}`), depth - 1);
}

type Calls = Pick<typeof promises, 'cp' | 'readdir' | 'rm'>;

const sync: Calls = {
  cp: async (from, to, options) => nodeFs.cpSync(from as string, to as string, options as object),
  readdir: (async (path: string, options: object) => nodeFs.readdirSync(path, options)) as never,
  rm: async (path, options) => nodeFs.rmSync(path, options),
};

const works: Record<string, (api: Calls) => Promise<unknown>> = {
  readdir: api => api.readdir(tree, recursive),
  // Neither can be repeated without the other.
  async 'cp-rm'(api) {
    await api.cp(tree, copy, recursive);
    await api.rm(copy, recursive);
  },
};

makeDirectory(tree, 2);
process.once('exit', () => nodeFs.rmSync(tree, { recursive: true, force: true }));
const api = way === 'sync' ? sync : way === 'promises' ? promises : await import('uasync/fs');
await serveRounds((round: Round) => round.repeat(1, () => works[name]!(api as Calls)));
