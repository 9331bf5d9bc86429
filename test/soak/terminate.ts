/**
 * Terminates workers at random moments, and says what they left: `npm run soak:terminate`.
 * A shorter form is in test/loop/terminate.test.ts.
 *
 * usage: terminate.js [TIMES] [KIND,…] [MILLISECONDS] [busy]
 * The milliseconds are from a worker's start, or with `busy` from when it is at work.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
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
  'trees',
  'channels',
  'exit',
  'throw',
  'threads',
];
const times = Number(process.argv[2] ?? 2000);
const kinds = (process.argv[3] ?? ALL.join()).split(',') as Any[];
const within = Number(process.argv[4] ?? 500);
const busy = process.argv[5] === 'busy';
const folder = mkdtempSync(join(tmpdir(), 'uasync-terminate-'));
/** In memory no walk waits for the disk, and leaves anything to Node therefore. */
const treesFolder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'uasync-trees-'));

/** What is open; without modules, which Node leaves open when a worker ends while it imports. */
function opened(): string[] {
  return readdirSync('/proc/self/fd').flatMap(fd => {
    try {
      const what = readlinkSync(`/proc/self/fd/${fd}`);
      return what.endsWith('.js') ? [] : [what];
    } catch {
      return [];
    }
  });
}

/** A field of /proc/self/status, in KiB. */
function status(name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/self/status', 'latin1'))![1]);
}

/** Where workers have listened, as in /proc/net/tcp. */
const listened = new Set<string>();

/** How many of those listen. */
function ports(): number {
  const lines = readFileSync('/proc/self/net/tcp', 'latin1').split('\n');
  const fields = lines.map(line => line.trim().split(/\s+/));
  return fields.filter(([, local, , state]) => state === '0A' && listened.has(local!.slice(-4))).length;
}

async function terminateThreads(): Promise<void> {
  const server = await serveOnThreads(1, built('test/fixtures/served.js'), { data: {} }).catch(() => null);
  await new Promise(resolve => setTimeout(resolve, Math.random() * within));
  await server?.stop({ timeout: 1 });
}

async function terminateWorker(kind: Kind): Promise<void> {
  const began = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(built('test/fixtures/terminated-anytime.js'), {
    workerData: { kind, began, folder: kind === 'trees' ? treesFolder : folder },
  });
  worker.on('error', () => {});
  worker.on(
    'message',
    (port: number) => port && listened.add(port.toString(16).toUpperCase().padStart(4, '0')),
  );
  const exited = new Promise(resolve => worker.once('exit', resolve));
  if (kind === 'load' || kind === 'bind') {
    // It is over in a millisecond or two, and that is what is to be hit.
    while (Atomics.load(began, 0) === 0) await new Promise(resolve => setImmediate(resolve));
    const end = performance.now() + Math.random() * 4;
    while (performance.now() < end);
  } else {
    if (busy) await Promise.race([exited, new Promise(resolve => worker.once('message', resolve))]);
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
interface Memory {
  rss: number;
  size: number;
}
const memory = (): Memory => ({ rss: status('VmRSS'), size: status('VmSize') });
const fds = opened();
const first = memory();
/** What the first ones leave is the heaps of the C library, once for each thread that runs at a time. */
const early = Math.ceil(times / 10);
let later = first;
for (let i = 0; i < times; i++) {
  if (i === early) {
    await settle();
    later = memory();
  }
  const kind = kinds[i % kinds.length]!;
  if (kind === 'threads') await terminateThreads();
  else await terminateWorker(kind);
  if (i % 100 === 99) console.log(`${i + 1} of ${times}`);
}
await settle();
// On a busy machine a thread of libuv's pool may still be at work for a worker that is gone.
for (let tries = 0; tries < 600 && opened().length > fds.length; tries++) {
  await new Promise(resolve => setTimeout(resolve, 50));
}
const last = memory();
function each(from: Memory, count: number): string {
  const kib = (was: number, is: number): string => ((is - was) / count).toFixed(1);
  return `memory ${kib(from.rss, last.rss)} KiB each, addresses ${kib(from.size, last.size)} KiB each`;
}
console.log(
  `${process.version}: ${times} terminated within ${within} ms of their ${busy ? 'work' : 'start'}: ${kinds.join()}`,
);
console.log(
  `descriptors ${fds.length} -> ${opened().length}, ${ports()} of ${listened.size} ports still listened to`,
);
if (opened().length > fds.length) console.log(`before: ${fds.sort()}\nafter: ${opened().sort()}`);
console.log(`${each(first, times)}; after the first ${early}: ${each(later, times - early)}`);
assert.ok(readdirSync(folder).length <= times);
for (const at of [folder, treesFolder]) rmSync(at, { recursive: true });
process.exit();
