/**
 * Terminates workers at random moments, and says what they left: `npm run soak:terminate`.
 * A shorter form is in test/loop/terminate.test.ts.
 *
 * usage: terminate.js [TIMES] [KIND,…] [MILLISECONDS]
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { loop } from 'uasync';
import { serveOnThreads } from 'uasync/net';
import type { Kind } from '../fixtures/terminated-anytime.js';
import { built } from '../programs.js';

type Any = Kind | 'threads';
const ALL: Any[] = [
  'load',
  'bind',
  'loops',
  'pinned',
  'echo',
  'files',
  'channels',
  'exit',
  'throw',
  'threads',
];
const times = Number(process.argv[2] ?? 2000);
const kinds = (process.argv[3] ?? ALL.join()).split(',') as Any[];
const within = Number(process.argv[4] ?? 500);
const folder = mkdtempSync(join(tmpdir(), 'uasync-terminate-'));

function openFds(): number {
  return readdirSync('/proc/self/fd').length;
}

/** A field of /proc/self/status, in KiB. */
function status(name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/self/status', 'latin1'))![1]);
}

/** Listening TCP sockets of this process. */
function ports(): number {
  const inodes = new Set<string>();
  for (const name of ['tcp', 'tcp6']) {
    for (const line of readFileSync(`/proc/self/net/${name}`, 'latin1').split('\n')) {
      const fields = line.trim().split(/\s+/);
      if (fields[3] === '0A') inodes.add(fields[9]!);
    }
  }
  return inodes.size;
}

async function terminateThreads(): Promise<void> {
  const server = await serveOnThreads(1, built('test/fixtures/served.js'), { data: {} }).catch(() => null);
  await new Promise(resolve => setTimeout(resolve, Math.random() * within));
  await server?.stop({ timeout: 1 });
}

async function terminateWorker(kind: Kind): Promise<void> {
  const began = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(built('test/fixtures/terminated-anytime.js'), {
    workerData: { kind, began, folder },
  });
  worker.on('error', () => {});
  const exited = new Promise(resolve => worker.once('exit', resolve));
  if (kind === 'load' || kind === 'bind') {
    // It is over in a millisecond or two, and that is what is to be hit.
    while (Atomics.load(began, 0) === 0) await new Promise(resolve => setImmediate(resolve));
    const end = performance.now() + Math.random() * 4;
    while (performance.now() < end);
  } else {
    const late = kind === 'exit' || kind === 'throw' ? within + 1000 : Math.random() * within;
    const timer = new Promise(resolve => setTimeout(resolve, late).unref());
    await Promise.race([exited, timer]);
  }
  await worker.terminate();
  await exited;
}

/** What a process that has workers keeps anyway (their heaps' pages, V8's own mappings). */
async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    globalThis.gc?.();
    await new Promise(resolve => setTimeout(resolve, 100));
  }
}

loop();
for (let i = 0; i < Math.min(20, times / 10); i++) await terminateWorker('echo');
await terminateThreads();
await settle();
const before = { fds: openFds(), ports: ports(), rss: status('VmRSS'), size: status('VmSize') };
for (let i = 0; i < times; i++) {
  const kind = kinds[i % kinds.length]!;
  if (kind === 'threads') await terminateThreads();
  else await terminateWorker(kind);
  if (i % 100 === 99) console.log(`${i + 1} of ${times}`);
}
await settle();
const each = (kib: number): string => `${(kib / times).toFixed(1)} KiB each`;
console.log(`${process.version}: ${times} terminated within ${within} ms of their start: ${kinds.join()}`);
console.log(`descriptors ${before.fds} -> ${openFds()}, listening ports ${before.ports} -> ${ports()}`);
console.log(
  `memory ${each(status('VmRSS') - before.rss)}, addresses ${each(status('VmSize') - before.size)}`,
);
assert.ok(readdirSync(folder).length <= times);
rmSync(folder, { recursive: true });
process.exit();
