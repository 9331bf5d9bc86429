/** What every test file shares: the process must be as it was when a test ends. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { loop } from 'uasync';

/** Descriptors that this process has open. */
export function openFds(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Collects garbage: tests run with --expose-gc. */
export function collectGarbage(): void {
  (globalThis as { gc?: () => void }).gc?.();
}

/** Lets the event loop turn `times` times. */
export async function turns(times = 3): Promise<void> {
  for (let i = 0; i < times; i++) await new Promise(resolve => setImmediate(resolve));
}

/** A folder that goes away with the test file. */
export function scratchFolder(parent = tmpdir()): string {
  const folder = mkdtempSync(join(parent, 'uasync-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A FIFO in a folder; its path. mkfifo(1) */
export function makeFifo(folder: string, name: string): string {
  const path = join(folder, name);
  execFileSync('mkfifo', [path]);
  return path;
}

/** After each test nothing is in flight, no memory is held, and no descriptor is lost. */
export function checkLeaks(): void {
  // The loop itself holds descriptors, and so do libuv's sockets: they are there before the first count.
  loop();
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
    // Descriptors close in the kernel's own time.
    for (let tries = 0; tries < 200; tries++) {
      const { inFlight, blocks } = loop().stats();
      if (inFlight === 0 && blocks.used === 0 && openFds() <= before) break;
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    const { inFlight, referenced, stale, overflow, blocks } = loop().stats();
    assert.deepEqual([inFlight, referenced, stale, overflow, blocks.used], [0, 0, 0, 0, 0]);
    assert.ok(openFds() <= before, `${openFds()} descriptors are open, there were ${before}`);
  });
}

/** A generator of random numbers whose seed is printed, so that a failure can be repeated. */
export function seededRandom(test: { comment(text: string): void }): () => number {
  const seed = Number(process.env.UASYNC_SEED ?? Math.floor(Math.random() * 2 ** 32));
  test.comment(`UASYNC_SEED=${seed}`);
  let state = seed | 0;
  return () => {
    // mulberry32
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
