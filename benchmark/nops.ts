/**
 * The least that an operation can cost: awaited `nop()`s, and bare ones by batch on a Ring.
 * `node dist/benchmark/nops.js`
 */
import { nop } from 'uasync';
import { Ring } from 'uasync/ring';

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

function raw(batch: number): void {
  const ring = new Ring(batch);
  let done = 0;
  const sink = {
    onCqe(): void {
      done++;
    },
  };
  const start = performance.now();
  const cpu = process.cpuUsage();
  while (done < OPS) {
    for (let i = 0; i < batch; i++) ring.getSqe()!.nop().userData(i);
    ring.submitAndGetEvents();
    ring.reap(sink);
  }
  report(`Ring, batches of ${batch}`, done, start, cpu);
  ring.close();
}

await awaited(1000);
for (const awaiters of [1, 10, 1000, 100_000]) await awaited(awaiters);
raw(64);
for (const batch of [64, 256, 1024, 4096]) raw(batch);
