/**
 * The least that an operation can cost: awaited `nop()`s, and bare ones by batch on a Ring, in turns with
 * liburing in C where there is a compiler and liburing-dev. `node dist/benchmark/nops.js`
 */
import { spawnSync } from 'node:child_process';
import { nop } from 'uasync';
import { Ring } from 'uasync/ring';
import { compile } from './compile.js';
import { median } from './statistics.js';

const OPS = 2_000_000;

function report(what: string, ops: number, start: number, cpu: NodeJS.CpuUsage): void {
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const rate = (ops / seconds / 1e6).toFixed(2);
  console.log(
    `${what.padEnd(32)} ${rate.padStart(6)} M/s  ${(((user + system) / ops) * 1000).toFixed(0).padStart(5)} ns CPU each`,
  );
}

async function awaited(awaiters: number): Promise<void> {
  let left = OPS;
  const start = performance.now();
  const cpu = process.cpuUsage();
  const run = async (): Promise<void> => {
    while (left-- > 0) await nop();
  };
  await Promise.all(Array.from({ length: awaiters }, run));
  report(`awaited nop(), ${awaiters} at a time`, OPS, start, cpu);
}

/** CPU nanoseconds of each NOP in batches on a Ring. */
function raw(batch: number): number {
  const ring = new Ring(batch);
  let done = 0;
  const sink = {
    onCqe(): void {
      done++;
    },
  };
  const cpu = process.cpuUsage();
  while (done < OPS) {
    for (let i = 0; i < batch; i++) ring.getSqe()!.nop().userData(i);
    ring.submitAndGetEvents();
    ring.reap(sink);
  }
  const { user, system } = process.cpuUsage(cpu);
  ring.close();
  return ((user + system) / done) * 1000;
}

function compilePeer(): string | undefined {
  try {
    return compile('benchmark/peers/nop.c', 'uring');
  } catch (error) {
    console.log(`not beside C: ${(error as Error).message}`);
    return undefined;
  }
}

const binary = compilePeer();

/** The same of liburing in C. */
function peer(program: string, batch: number): number {
  return Number(spawnSync(program, [String(batch), String(OPS)], { encoding: 'latin1' }).stdout);
}

/** Nanoseconds of one `getSqe()`, a NOP and its user_data, without the kernel. */
function fill(): number {
  let spent = 0;
  const rounds = 200;
  for (let round = 0; round < rounds * 2; round++) {
    const ring = new Ring(4096);
    const start = performance.now();
    for (let i = 0; i < 4096; i++) ring.getSqe()!.nop().userData(i);
    if (round >= rounds) spent += performance.now() - start;
    ring.close();
  }
  return (spent * 1e6) / (rounds * 4096);
}

raw(64);
for (const batch of [64, 256, 1024, 4096]) {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < 5; round++) {
    ours.push(raw(batch));
    if (binary !== undefined) theirs.push(peer(binary, batch));
  }
  const each = median(ours);
  const c = binary
    ? `, in C ${median(theirs).toFixed(0)} ns: ${(median(theirs) / each).toFixed(2)}x its rate`
    : '';
  console.log(
    `Ring, batches of ${batch}: ${each.toFixed(0)} ns CPU each (${(1000 / each).toFixed(1)} M/s)${c}`,
  );
}
console.log(`filling an entry: ${fill().toFixed(1)} ns`);

await awaited(1000);
for (const awaiters of [1, 10, 1000, 100_000]) await awaited(awaiters);
