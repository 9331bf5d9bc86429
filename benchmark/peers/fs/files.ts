/**
 * Typical file operations of programs, by uasync/fs, by node:fs/promises or by the sync calls of node:fs. Bun and Deno
 * run it too, with their own node:fs. `node files.js uasync|pinned|lease|promises|sync WORK FOLDER AT_A_TIME`
 */
import nodeFs, { promises } from 'node:fs';
import { join } from 'node:path';
import { type Round, serveRounds } from '../worker.js';
import { CHUNK, FILES, LARGE, SMALL } from './fixture.js';

type Api = typeof promises;

const [way = 'uasync', name = 'read', folder = '', count = '1'] = process.argv.slice(2);
const atATime = Number(count);
const content = Buffer.alloc(SMALL, 'x');

let taken = 0;
function nextSmall(): string {
  return join(folder, `small-${taken++ % FILES}`);
}

let written = 0;
function newPath(index: number): string {
  return join(folder, `new-${process.pid}-${index}`);
}
const log = join(folder, `log-${process.pid}`);

function somewhere(): number {
  return Math.floor(Math.random() * (LARGE / SMALL)) * SMALL;
}

/** The operations by an API of promises. */
const works: Record<string, (api: Api, round: Round) => Promise<void>> = {
  async read(api, round) {
    const handle = await api.open(join(folder, 'large'));
    const buffers = Array.from({ length: atATime }, () => allocate(SMALL));
    await round.spread(atATime, 16, worker => handle.read(buffers[worker]!, 0, SMALL, somewhere()));
    await handle.close();
  },
  readfile: (api, round) => round.spread(atATime, 16, () => api.readFile(nextSmall())),
  stat: (api, round) => round.spread(atATime, 16, () => api.stat(nextSmall())),
  writefile: (api, round) => round.spread(atATime, 16, () => api.writeFile(newPath(written++), content)),
  rewrite: (api, round) => round.spread(atATime, 16, () => api.writeFile(nextSmall(), content)),
  async sequential(api, round) {
    const buffer = allocate(CHUNK);
    while (!round.over) {
      const handle = await api.open(join(folder, 'large'));
      while ((await handle.read(buffer, 0, CHUNK)).bytesRead > 0) round.ops++;
      await handle.close();
    }
  },
  async 'append-log'(api, round) {
    const handle = await api.open(log, 'a');
    await round.spread(atATime, 1, async () => {
      await handle.write(content);
      await handle.datasync();
    });
    await handle.close();
  },
};

/** Only in uasync: chunks in place, where the kernel has put them. */
async function leased(round: Round): Promise<void> {
  const { open } = await import('uasync/fs');
  while (!round.over) {
    const handle = await open(join(folder, 'large'));
    for await (const _ of handle.chunks({ size: CHUNK, lease: true })) round.ops++;
    await handle.close();
  }
}

/** The same by sync calls, one at a time. */
const syncWorks: Record<string, (round: Round) => Promise<void> | void> = {
  async read(round) {
    const fd = nodeFs.openSync(join(folder, 'large'), 'r');
    const buffer = Buffer.allocUnsafeSlow(SMALL);
    await round.repeat(1024, () => nodeFs.readSync(fd, buffer, 0, SMALL, somewhere()));
    nodeFs.closeSync(fd);
  },
  readfile: round => round.repeat(256, () => nodeFs.readFileSync(nextSmall())),
  stat: round => round.repeat(256, () => nodeFs.statSync(nextSmall())),
  writefile: round => round.repeat(64, () => nodeFs.writeFileSync(newPath(written++), content)),
  rewrite: round => round.repeat(64, () => nodeFs.writeFileSync(nextSmall(), content)),
  sequential(round) {
    const buffer = Buffer.allocUnsafeSlow(CHUNK);
    while (!round.over) {
      const fd = nodeFs.openSync(join(folder, 'large'), 'r');
      while (nodeFs.readSync(fd, buffer, 0, CHUNK, null) > 0) round.ops++;
      nodeFs.closeSync(fd);
    }
  },
  async 'append-log'(round) {
    const fd = nodeFs.openSync(log, 'a');
    await round.repeat(1, () => {
      nodeFs.writeSync(fd, content);
      nodeFs.fdatasyncSync(fd);
    });
    nodeFs.closeSync(fd);
  },
};

function tidy(): void {
  for (; written > 0; written--) nodeFs.rmSync(newPath(written - 1), { force: true });
  nodeFs.rmSync(log, { force: true });
}

// Only if requested: the other runtimes have no koffi.
const ours = way !== 'promises' && way !== 'sync';
const api = ours ? ((await import('uasync/fs')) as unknown as Api) : promises;
const allocate = way === 'pinned' ? (await import('uasync')).allocPinned : Buffer.allocUnsafeSlow;

function work(round: Round): Promise<void> | void {
  if (way === 'sync') return syncWorks[name]!(round);
  return way === 'lease' ? leased(round) : works[name]!(api, round);
}

await serveRounds(work, tidy);
