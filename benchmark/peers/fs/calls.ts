/**
 * Calls on files of every kind, one after the other, as most programs make them: by uasync/fs, by node:fs/promises or by
 * the sync calls of node:fs. `node calls.js uasync|promises|sync CALL FOLDER`
 */
import nodeFs, { promises } from 'node:fs';
import { join } from 'node:path';
import { type Round, serveRounds } from '../worker.js';

type Api = typeof promises;

const BLOCK = 4096;
const BLOCKS = 1024;
const [way = 'uasync', name = 'stat', parent = ''] = process.argv.slice(2);
const folder = join(parent, `calls-${way}-${name}-${process.pid}`);
const file = join(folder, 'file');
const small = join(folder, 'small');
const log = join(folder, 'log');
const made = join(folder, 'made');
const block = Buffer.alloc(BLOCK, 'x');
const page = Buffer.alloc(2048, 'y');
const line = Buffer.alloc(100, 'z');
/** The maximum number of lines in a log. */
const LINES = 10_000;

let calls = 0;
const at = (): number => (calls++ % BLOCKS) * BLOCK;
const names = (): [from: string, to: string] => (calls++ % 2 ? [`${made}-1`, made] : [made, `${made}-1`]);

function makeFiles(): void {
  nodeFs.mkdirSync(folder, { recursive: true });
  nodeFs.writeFileSync(file, Buffer.alloc(BLOCK * BLOCKS, 'x'));
  nodeFs.writeFileSync(small, page);
}

/** Removes what a round has created. */
function tidy(): void {
  for (const left of nodeFs.readdirSync(folder)) {
    if (left !== 'file' && left !== 'small') nodeFs.rmSync(join(folder, left), { recursive: true });
  }
}

/** The calls by an API of promises, each with a handle of `file`. */
const works: Record<string, (api: Api, handle: promises.FileHandle) => () => Promise<unknown>> = {
  stat: api => () => api.stat(file),
  access: api => () => api.access(file),
  open: api => async () => (await api.open(file, 'r')).close(),
  read: (_, handle) => () => handle.read(block, 0, BLOCK, at()),
  readfile: api => () => api.readFile(small),
  write: (_, handle) => () => handle.write(block, 0, BLOCK, at()),
  append: api => () => api.appendFile(calls++ % LINES ? log : `${log}-${calls}`, line),
  writefile: api => () => api.writeFile(small, page),
  mkdir: api => async () => {
    await api.mkdir(made);
    await api.rmdir(made);
  },
  rename: api => () => api.rename(...names()),
  unlink: api => async () => {
    await api.writeFile(made, '');
    await api.unlink(made);
  },
};

/** The same by sync calls. */
const syncWorks: Record<string, (fd: number) => () => unknown> = {
  stat: () => () => nodeFs.statSync(file),
  access: () => () => nodeFs.accessSync(file),
  open: () => () => nodeFs.closeSync(nodeFs.openSync(file, 'r')),
  read: fd => () => nodeFs.readSync(fd, block, 0, BLOCK, at()),
  readfile: () => () => nodeFs.readFileSync(small),
  write: fd => () => nodeFs.writeSync(fd, block, 0, BLOCK, at()),
  append: () => () => nodeFs.appendFileSync(calls++ % LINES ? log : `${log}-${calls}`, line),
  writefile: () => () => nodeFs.writeFileSync(small, page),
  mkdir: () => () => {
    nodeFs.mkdirSync(made);
    nodeFs.rmdirSync(made);
  },
  rename: () => () => nodeFs.renameSync(...names()),
  unlink: () => () => {
    nodeFs.writeFileSync(made, '');
    nodeFs.unlinkSync(made);
  },
};

const api = way === 'uasync' ? ((await import('uasync/fs')) as unknown as Api) : promises;

async function work(round: Round): Promise<void> {
  calls = 0;
  if (name === 'rename') nodeFs.writeFileSync(made, '');
  if (way === 'sync') {
    const fd = nodeFs.openSync(file, 'r+');
    await round.repeat(64, syncWorks[name]!(fd));
    nodeFs.closeSync(fd);
    return;
  }
  const handle = await api.open(file, 'r+');
  await round.repeat(16, works[name]!(api, handle));
  await handle.close();
}

makeFiles();
await serveRounds(work, tidy);
nodeFs.rmSync(folder, { recursive: true });
