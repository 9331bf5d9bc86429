/** What every test file shares: the process must be as it was when a test ends. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import type { EventEmitter } from 'node:events';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import t from 'tap';
import { loop } from 'uasync';
import './patience.js';

/**
 * Descriptors that this process has open, but for modules: Node leaves those that it is reading when a worker is
 * terminated during its imports.
 */
export function openFds(): number {
  const isModule = (fd: string): boolean => {
    try {
      return /\.[cm]?js$/.test(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      return false;
    }
  };
  return readdirSync('/proc/self/fd').filter(fd => !isModule(fd)).length;
}

/** Collects garbage: tests run with --expose-gc. */
export function collectGarbage(): void {
  (globalThis as { gc?: () => void }).gc?.();
}

/** Resolves at its 'close', whatever error comes first: `once` rejects with that. */
export function whenClosed(emitter: EventEmitter): Promise<void> {
  return new Promise(resolve => emitter.once('close', () => resolve()));
}

/** Lets the event loop turn `times` times. */
export async function turns(times = 3): Promise<void> {
  for (let i = 0; i < times; i++) await new Promise(resolve => setImmediate(resolve));
}

/** Resolves once `condition` holds. One that never does is for the test's own timeout to end. */
export async function until(condition: () => unknown): Promise<void> {
  while (!(await condition())) await new Promise(resolve => setTimeout(resolve, 2));
}

/** Resolves once `value` stays as it is while the loop takes 25 turns: what fills up is full. */
export async function standstill(value: () => number): Promise<void> {
  for (let last = Number.NaN, same = 0; same < 25; await new Promise(resolve => setTimeout(resolve, 2))) {
    const now = value();
    same = now === last ? same + 1 : 0;
    last = now;
  }
}

/** Where temporary files go: $TMPDIR, unless a socket's path of 107 bytes has no room in it. unix(7) */
const TEMPORARY = Buffer.byteLength(tmpdir()) <= 40 ? tmpdir() : '/tmp';

/**
 * A folder, named after the test file, that goes away with it. The path of a socket in it is valid wherever
 * the checkout lies, if the socket's name has up to 30 bytes.
 */
export function scratchFolder(parent = TEMPORARY): string {
  const file = basename(process.argv[1] ?? 'test', '.test.js').slice(0, 20);
  const folder = mkdtempSync(join(parent, `uasync-${file}-`));
  t.teardown(() => remove(folder));
  return folder;
}

/** Removes what there is at a path, also folders that their owner may not enter. */
export function remove(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    execFileSync('chmod', ['-R', 'u+rwx', path]);
    rmSync(path, { recursive: true, force: true });
  }
}

/** A FIFO in a folder; its path. mkfifo(1) */
export function makeFifo(folder: string, name: string): string {
  const path = join(folder, name);
  execFileSync('mkfifo', [path]);
  return path;
}

/** The loop of this thread: with UASYNC_INLINE as its option `inline` if that is set and it is not made yet. */
function makeLoop(): void {
  const { UASYNC_INLINE } = process.env;
  if (UASYNC_INLINE === undefined) loop();
  else loop({ inline: UASYNC_INLINE === 'random' ? 'random' : UASYNC_INLINE === 'true' });
}

/** Has all that follows go through the ring, for tests of what happens while it waits there. */
export function withoutInline(): void {
  loop().close();
  loop({ inline: false });
}

/** After each test nothing is in flight, no memory is held, and no descriptor is lost. */
export function checkLeaks(): void {
  // The loop itself holds descriptors, and so do libuv's sockets: they are there before the first count.
  makeLoop();
  t.before(async () => {
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    server.close();
    await once(server, 'close');
  });
  let before = 0;
  t.beforeEach(async () => {
    await turns();
    before = openFds();
  });
  t.afterEach(async () => {
    // Descriptors close in the kernel's own time, which is long on a loaded machine. Node's threads open some for a moment.
    let fds = 0;
    for (let tries = 0; tries < 6000; tries++) {
      const { inFlight, blocks } = loop().stats();
      fds = openFds();
      if (inFlight === 0 && blocks.used === 0 && fds <= before) break;
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    const { inFlight, referenced, stale, overflow, blocks } = loop().stats();
    assert.deepEqual([inFlight, referenced, stale, overflow, blocks.used], [0, 0, 0, 0, 0]);
    assert.ok(fds <= before, `${fds} descriptors are open, there were ${before}`);
  });
}

/**
 * A generator of random numbers whose seed is printed, so that a failure can be repeated. It is the same in each run,
 * unless UASYNC_SEED says which, or that it is `random`.
 */
export function seededRandom(test: { comment(text: string): void }): () => number {
  const { UASYNC_SEED = '1', UASYNC_FAULTS } = process.env;
  const seed = UASYNC_SEED === 'random' ? Math.floor(Math.random() * 2 ** 32) : Number(UASYNC_SEED);
  test.comment(`UASYNC_SEED=${seed}${UASYNC_FAULTS === undefined ? '' : ` UASYNC_FAULTS=${UASYNC_FAULTS}`}`);
  let state = seed | 0;
  return () => {
    // mulberry32
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
