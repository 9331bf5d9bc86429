/** More calls on whole files at once than the process has descriptors for. */
import { execFileSync } from 'node:child_process';
import nodeFs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type LoopOptions, loop } from 'uasync';
import { appendFile, readFile, rm, truncate, writeFile } from 'uasync/fs';
import { checkLeaks, openFds, scratchFolder } from '../harness.js';

const folder = scratchFolder();
checkLeaks();
const COUNT = 100;
const ids = [...Array(COUNT).keys()];
const at = (i: number): string => join(folder, String(i));
const { signal } = new AbortController();

function limitDescriptors(soft: number | string): void {
  execFileSync('prlimit', ['--pid', String(process.pid), `--nofile=${soft}:`]);
}
const before = /^Max open files +(\d+)/m.exec(nodeFs.readFileSync('/proc/self/limits', 'utf8'))![1]!;

/** Runs `calls` with a few free descriptors on a new loop. */
async function withFew(options: LoopOptions, calls: () => Promise<void>): Promise<void> {
  loop().close();
  loop(options);
  // The loop takes its own.
  await readFile('/proc/version');
  limitDescriptors(openFds() + 40);
  try {
    await calls();
  } finally {
    limitDescriptors(before);
    loop().close();
  }
}

for (const options of [
  {},
  { inline: 'random' },
  { inlineWrites: 'never' },
  { inline: false },
] as LoopOptions[]) {
  t.test(`none fails: ${JSON.stringify(options)}`, { timeout: 60_000 }, async t => {
    await withFew(options, async () => {
      for (const size of [0, 1000, 300_000]) {
        const bytes = Buffer.alloc(size, 'a');
        const calls: Record<string, (i: number) => Promise<unknown>> = {
          write: i => writeFile(at(i), bytes),
          read: i => readFile(at(i)),
        };
        if (size === 1000) {
          calls['write with a signal'] = i => writeFile(at(i), bytes, { signal });
          calls['read with a signal'] = i => readFile(at(i), { signal });
          calls['read with flags'] = i => readFile(at(i), { flag: 'r+' });
          calls['write and flush'] = i => writeFile(at(i), bytes, { flush: true });
          calls.append = i => appendFile(at(i), bytes);
          calls.truncate = i => truncate(at(i), 5);
          calls['remove trees'] = async i => {
            nodeFs.mkdirSync(join(folder, `tree${i}`, 'a', 'b'), { recursive: true });
            for (const name of ['c', 'd', 'e'])
              nodeFs.mkdirSync(join(folder, `tree${i}`, name, 'f'), { recursive: true });
            await rm(join(folder, `tree${i}`), { recursive: true });
          };
        }
        for (const [name, call] of Object.entries(calls)) {
          const results = await Promise.allSettled(ids.map(call));
          const failed = results.find(({ status }) => status === 'rejected');
          t.equal((failed as PromiseRejectedResult | undefined)?.reason, undefined, `${name} ${size}`);
        }
      }
    });
  });
}

t.test('if other code has all descriptors, calls fail; those that wait can be aborted', async t => {
  nodeFs.writeFileSync(at(0), 'text');
  await withFew({ inline: false }, async () => {
    const controller = new AbortController();
    const calls = ids.map(() => readFile(at(0), { signal: controller.signal }));
    const first = await Promise.race(calls);
    controller.abort();
    for (const result of await Promise.allSettled(calls)) {
      if (result.status === 'rejected') t.equal(result.reason.name, 'AbortError');
      else t.ok(result.value.equals(first));
    }
    const taken: number[] = [];
    try {
      for (;;) taken.push(nodeFs.openSync('/dev/null', 'r'));
    } catch {}
    for (const result of await Promise.allSettled(ids.map(() => readFile(at(0), { signal })))) {
      t.match(result, { status: 'rejected', reason: { code: 'EMFILE', syscall: 'open', path: at(0) } });
    }
    nodeFs.mkdirSync(join(folder, 'full', 'inner'), { recursive: true });
    const error = { code: 'EMFILE', syscall: 'scandir', path: join(folder, 'full') };
    await t.rejects(rm(join(folder, 'full'), { recursive: true }), error);
    await rm(at(1), { recursive: true, force: true });
    for (const fd of taken) nodeFs.closeSync(fd);
    t.equal(await readFile(at(0), { signal, encoding: 'utf8' }), 'text');
  });
});

t.test('a call that waits hears its signal while no descriptor gets free', async t => {
  nodeFs.writeFileSync(at(0), 'text');
  const fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  await withFew({}, async () => {
    // Holds a descriptor for as long as the other end is open.
    const writer = nodeFs.openSync(fifo, 'r+');
    const holding = readFile(fifo, { signal });
    const before = openFds();
    while (openFds() === before) await new Promise(setImmediate);
    const taken: number[] = [];
    try {
      for (;;) taken.push(nodeFs.openSync('/dev/null', 'r'));
    } catch {}
    const controller = new AbortController();
    const waiting = readFile(at(0), { signal: controller.signal });
    const later = readFile(at(0), { signal, encoding: 'utf8' });
    await new Promise(setImmediate);
    controller.abort();
    await t.rejects(waiting, { name: 'AbortError' });
    for (const fd of taken) nodeFs.closeSync(fd);
    nodeFs.writeSync(writer, 'through');
    nodeFs.closeSync(writer);
    t.equal(String(await holding), 'through');
    t.equal(await later, 'text');
  });
});
