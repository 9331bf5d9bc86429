/** What workers leave that are terminated: nothing that is open, and next to no memory. */
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { loop } from 'uasync';
import { libc } from '../../src/sys/libc/libc.js';
import { until } from '../harness.js';
import { built } from '../programs.js';
import { terminate } from '../terminate.js';

t.test('nothing stays open', async t => {
  const report = await terminate(6, 'echo,files,trees', 40, 'busy');
  const [, before, after, listening] = /descriptors (\d+) -> (\d+), (\d+) of/.exec(report)!;
  t.equal(after, before, report);
  t.equal(listening, '0');
});

/** Whether something is mapped at each of these addresses, at one moment: to look takes memory, which may be there. */
function areMapped(addresses: number[]): boolean[] {
  const areas = readFileSync('/proc/self/maps', 'latin1')
    .split('\n')
    .map(line =>
      line
        .split(' ')[0]!
        .split('-')
        .map(hex => Number.parseInt(hex, 16)),
    );
  return addresses.map(address => areas.some(([start, end]) => address >= start! && address < end!));
}

t.test('what they had mapped is unmapped once they are gone', async t => {
  loop();
  const PAGE = 4096;
  const memory = libc().sharedMemory!;
  const owners = new Int32Array(memory, 0, memory.byteLength / PAGE);
  const worker = new Worker(built('test/fixtures/terminated-anytime.js'), { workerData: { kind: 'echo' } });
  await once(worker, 'message');
  const record = owners.findIndex(tid => tid !== 0);
  const pairs = new Float64Array(memory, record * PAGE, PAGE / 8);
  const mapped = [...pairs].filter((word, i) => i % 2 === 0 && word > 0);
  t.ok(mapped.length > 3, `${mapped.length} mappings`);
  t.ok(areMapped(mapped).every(Boolean), 'they are written down as they are');
  await worker.terminate();
  await until(() => owners.every(tid => tid === 0));
  t.notOk(areMapped(mapped).some(Boolean));
  t.ok(pairs.every((word, i) => i % 2 === 1 || word <= 0));
});

t.test('between the opening of a descriptor and its hook, or its closing', async t => {
  const eventfds = (): number => readdirSync('/proc/self/fd').filter(isEventfd).length;
  loop();
  let before = -1;
  for (let i = 0; i < 8; i++) {
    const workerData = { began: new Int32Array(new SharedArrayBuffer(4)) };
    const worker = new Worker(built('test/fixtures/eventfds-worker.js'), { workerData });
    while (Atomics.load(workerData.began, 0) === 0) await setImmediate();
    await setTimeout(Math.random() * 3);
    await worker.terminate();
    // The first makes libuv's own.
    if (i === 0) before = eventfds();
  }
  t.equal(eventfds(), before);
});

function isEventfd(fd: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:[eventfd]';
  } catch {
    return false;
  }
}
